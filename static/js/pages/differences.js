// On what the panel, its hosts and billing do not agree, and what can be done about it.
import { post } from "../lib/api.js";
import { may } from "../lib/boot.js";
import { useUrlQuery } from "../lib/data.js";
import { KIND_OPTIONS, SEVERITY_WORDS, kindWord, severityLook, summary } from "../lib/differences.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Icon, State, TypeMark } from "../ui/basic.js";
import { AdoptDialog } from "../ui/adopt.js";
import { Confirm, FormDialog, openDialog } from "../ui/dialog.js";
import { TextField } from "../ui/fields.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { PageHead, mount } from "../ui/page.js";
import { toast } from "../ui/toast.js";

const LOOK_EVERY_MS = 15000;
const WHERE = { guest: "/guests/", host: "/hosts/", customer: "/customers/" };

const link = (row) => (WHERE[row.object_type] && row.object_id ? html`<a href=${WHERE[row.object_type] + row.object_id}>${row.label}</a>` : html`<b>${row.label}</b>`);

function told(answer) {
  const later = answer.takes_effect !== "now";
  const words = later ? _("Set right for its next start.") : answer.job ? _("It is being done.") : _("Done.");
  toast(words, answer.job ? { link: { href: `/jobs/${answer.job.id}`, text: _("Open job") } } : {});
}

async function act(row, list, action, body) {
  const answer = await post(`/differences/${row.id}/actions/${action}`, body);
  list.replace(answer.difference);
  told(answer);
}

const REPAIRED = {
  "total-wrong": () => _("The total is set to the sum."),
  "host-lost-guests": () => _("All its guests are defined again on their disks, and started if they should run: one after the other, as fast as the limiter lets. Those that are urgent can be repaired one by one."),
  "automatic-stopped": () => _("All that waits is done now, as your request: guests are repaired, suspended ones are stopped, and deletions are tried again. After a restore look first whether the panel still knows what is so: what it deletes is lost."),
};
const isStopped = (row) => row.kind === "automatic-stopped";
const repairTitle = (row) => (isStopped(row) ? _("Let all of them go on") : _("Repair %(name)s", { name: row.label }));
const repair = (row, list) => openDialog((close) => html`<${Confirm} title=${repairTitle(row)} submit=${repairTitle(row)} danger=${isStopped(row)}
  onClose=${close} onConfirm=${async () => { await act(row, list, "repair"); close(); }}>
  <p>${summary(row)}</p>
  <p>${REPAIRED[row.kind]?.() || _("The host is brought back to what the panel has. No running server is stopped for it: what can be changed only at a start is set for the next one.")}</p><//>`);

const RELEASED = {
  "volume-without-owner": () => _("The file is deleted with all data in it, and cannot be brought back: be sure what it is, it need not be a disk. Before that the host is asked once more whether a domain or another disk needs it."),
  "volume-missing": () => _("The panel forgets the volume. Nothing is deleted on the host."),
  "address-without-guest": () => _("The address can be given to other servers again."),
};
const released = (row) => RELEASED[row.kind]?.() || (row.confirm ? _("This cannot be undone.") : _("It becomes free again."));

const release = (row, list) => openDialog((close) => html`<${Confirm} title=${_("Release %(name)s", { name: row.label })} submit=${_("Release %(name)s", { name: row.label })} typed=${row.confirm ? row.label : undefined} danger=${row.confirm}
  onClose=${close} onConfirm=${async () => { await act(row, list, "release", row.confirm ? { confirm: row.label } : {}); close(); }}>
  <p>${released(row)}</p><//>`);

function IgnoreDialog({ row, list, onClose }) {
  const [reason, setReason] = useState("");
  return html`<${FormDialog} title=${_("Ignore %(name)s", { name: row.label })} submit=${_("Ignore difference")} ready=${Boolean(reason.trim())} onClose=${onClose}
    onSubmit=${async () => { await act(row, list, "ignore", { reason }); onClose(); }}>${(problem) => html`
      <p>${_("It leaves this list and stays as it is. When the difference changes, it comes back.")}</p>
      <${TextField} label=${_("Reason")} name="reason" maxlength="255" hint=${_("For your colleagues, and for the audit.")} value=${reason} error=${problem?.field("reason")} onInput=${setReason} />`}<//>`;
}

const ITEMS = {
  adopt: { text: _("Take over"), icon: "plus", note: _("Becomes a customer’s server, running on."), run: (row, list) => openDialog((close) => html`<${AdoptDialog} row=${row} onClose=${close} onDone=${list.reload} />`) },
  repair: { text: _("Repair"), icon: "tool", note: _("Bring it back to what the panel has."), run: repair },
  release: { text: _("Release"), icon: "trash", note: _("Give back what belongs to nobody."), run: release },
  ignore: { text: _("Ignore"), icon: "eye", note: _("Leave it as it is, with a reason."), run: (row, list) => openDialog((close) => html`<${IgnoreDialog} row=${row} list=${list} onClose=${close} />`) },
};

const itemOf = (row, action) => (action === "repair" && isStopped(row) ? { ...ITEMS.repair, text: _("Let all go on"), icon: "player-play", note: _("Do now what waits.") } : ITEMS[action]);

const actions = (row, list) => html`<${Menu} label=${_("What to do about %(name)s", { name: row.label })} buttonClass="icon-button tight" button=${html`<${Icon} name="dots" />`}
  items=${row.actions.map(({ action, allowed, reason }) => {
    const { text, icon, note, run } = itemOf(row, action);
    return { text, icon, note, danger: action === "release" && row.confirm, disabled: !allowed, reason, onSelect: () => run(row, list) };
  })} />`;

function stateOf(row) {
  if (row.repair_asked_by && row.state !== "closed") return html`<small>${_("%(who)s asked for all to be repaired: its turn comes.", { who: row.repair_asked_by })}</small>`;
  if (row.state === "suspected") return html`<small>${_("Only suspected: it is looked at again before it counts.")}</small>`;
  if (row.state === "ignored") return html`<small>${_("Ignored by %(who)s: %(why)s", { who: row.ignored_by, why: row.ignored_reason })}</small>`;
  if (row.state === "closed") return html`<small>${{ repaired: _("Closed: repaired"), released: _("Closed: released"), adopted: _("Closed: taken over") }[row.closed_how] || _("Closed: it vanished")}</small>`;
  return "";
}

const columns = [
  { key: "what", title: _("Difference"), class: "cell-name", cell: (row) => html`<span class="two-lines">${link(row)}${kindWord(row.kind) !== row.label && html`<small>${kindWord(row.kind)}</small>`}</span>` },
  { key: "severity", title: _("Severity"), class: "cell-state", cell: (row) => html`<${State} status=${severityLook(row)} word=${SEVERITY_WORDS[row.severity]} />` },
  { key: "details", title: _("What was found"), cell: (row) => html`<span class="two-lines"><span>${summary(row)}</span>${stateOf(row)}</span>` },
  { key: "host", title: _("Host"), class: "cell-host", cell: (row) => (row.host ? html`<span class="row-line">${row.host_type && html`<${TypeMark} type=${row.host_type} />`}<a href=${`/hosts/${row.host}`}>${row.host_name}</a></span>` : html`<span class="muted none">–</span>`) },
  { key: "age", title: _("First seen"), sort: "created_at", firstSort: "-created_at", label: true, cell: (row) => html`<${Ago} at=${row.first_seen_at} />` },
  may("fleet.manage") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: actions },
].filter(Boolean);

function Differences() {
  const [url] = useUrlQuery();
  return html`<${PageHead} title=${_("Differences")} sub=${_("What the panel, its hosts and billing do not agree on. Nothing is deleted because of them; a difference that is gone closes.")} />
    <${List} endpoint="/differences" caption=${_("Differences")} columns=${columns} sort="-created_at" fixed=${url.host ? { host: url.host } : {}} every=${LOOK_EVERY_MS} filters=${[
      { param: "severity", label: _("Severity"), options: Object.entries(SEVERITY_WORDS) },
      { param: "kind", label: _("Kind"), options: KIND_OPTIONS },
      { param: "state", label: _("State"), none: _("Open and suspected"), options: [["open", _("Open")], ["suspected", _("Suspected")], ["ignored", _("Ignored")], ["closed", _("Closed")], ["any", _("All")]] }]}
      when=${(message) => message.type === "difference"} rowKey=${(row) => row.id} empty=${{ text: url.host ? _("The host has what the panel has.") : _("The panel, its hosts and billing agree.") }}
      toolbarEnd=${url.host && html`<span class="row-line"><span class="muted">${_("Of one host only")}</span><a class="btn" href="/differences">${_("Show all hosts")}</a></span>`} />`;
}

mount(Differences);
