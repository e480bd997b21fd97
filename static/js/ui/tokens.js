// API tokens: made, shown once, revoked.
import { post, remove } from "../lib/api.js";
import { may } from "../lib/boot.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Icon, State } from "./basic.js";
import { Confirm, FormDialog, openDialog } from "./dialog.js";
import { SelectField, TextField } from "./fields.js";
import { List } from "./list.js";
import { TokenDialog } from "./secret.js";
import { toast, toastProblem } from "./toast.js";

const DAY_MS = 86_400_000;
const LIVES = () => [["30", _("30 days")], ["90", _("90 days")], ["365", _("1 year")], ["", _("Never ends")]];

export function NewToken({ client, onClose, onDone }) {
  const [opened] = useState(Date.now()); // lives count from here, so that the same form sent again is the same request
  const [form, setForm] = useState({ name: "", scope: "write", days: "365" });
  const save = async () => {
    const body = { name: form.name, scope: form.scope, expires_at: form.days ? new Date(opened + Number(form.days) * DAY_MS).toISOString() : null };
    if (client) body.client = client.id;
    const answer = await post("/tokens", body);
    onClose();
    onDone?.();
    openDialog((close) => html`<${TokenDialog} token=${answer.token} name=${answer.name} onClose=${close} />`);
  };
  return html`<${FormDialog} title=${client ? _("Create token for %(name)s", { name: client.name }) : _("Create token")} submit=${_("Create token")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <${TextField} label=${_("Name")} name="name" autofocus required placeholder=${_("backup script")} value=${form.name} error=${problem?.field("name")} onInput=${(name) => setForm({ ...form, name })} />
    <div class="fields-2"><${SelectField} label=${_("May")} name="scope" value=${form.scope} error=${problem?.field("scope")} options=${[["write", _("Read and change")], ["read", _("Only read")]]} onChange=${(scope) => setForm({ ...form, scope })} />
      <${SelectField} label=${_("Ends after")} name="expires_at" value=${form.days} error=${problem?.field("expires_at")} options=${LIVES()} onChange=${(days) => setForm({ ...form, days })} /></div>
    <p class="field-hint">${client ? _("It has the integration’s rights.") : _("It never may more than you, and ends when your access does.")}</p>`}<//>`;
}

function tokenState(token) {
  if (token.revoked_at) return html`<${State} status="off" word=${_("Revoked")} />`;
  if (token.expires_at && new Date(token.expires_at) < Date.now()) return html`<${State} status="off" word=${_("Ended")} />`;
  return html`<${State} status="active" />`;
}

const revoke = (token, list) => openDialog((close) => html`<${Confirm} title=${_("Revoke “%(name)s”", { name: token.name })} submit=${_("Revoke token")} onClose=${close}
  onConfirm=${async () => { close(); try { await remove(`/tokens/${token.id}`); toast(_("The token no longer works.")); list.reload(); } catch (problem) { toastProblem(problem); } }}>
  <p>${_("Programs that use it are refused from now on. It cannot be undone.")}</p><//>`);

const columns = (owner) => [
  { key: "name", title: _("Token"), class: "cell-name", cell: (token) => html`<span class="two-lines"><b>${token.name}</b><small class="mono">${token.prefix}…</small></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: tokenState },
  owner && { key: "owner", title: _("Owner"), label: true, cell: (token) => token.client_name },
  { key: "scope", title: _("May"), cell: (token) => (token.scope === "read" ? _("Only read") : _("Read and change")) },
  { key: "ends", title: _("Ends"), class: "cell-minor", cell: (token) => html`<${Ago} at=${token.expires_at} none=${_("never")} />` },
  { key: "used", title: _("Last used"), label: true, cell: (token) => html`<span class="two-lines"><${Ago} at=${token.last_used_at} none=${_("never")} />${token.last_used_address && html`<small class="mono">${token.last_used_address}</small>`}</span>` },
  { key: "age", title: _("Made"), sort: "created_at", firstSort: "-created_at", class: "cell-minor", cell: (token) => html`<${Ago} at=${token.created_at} />` },
  may("token.manage") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: (token, list) => !token.revoked_at && html`<button class="btn btn-sm btn-quiet-danger" onClick=${() => revoke(token, list)}>${_("Revoke")}</button>` },
].filter(Boolean);

/** `head(button)`: what stands above, with the button that makes one; without it the button is the list’s. */
export function TokenList({ fixed, owner, empty, head }) {
  const [making, setMaking] = useState(false);
  const [list, setList] = useState(null);
  const create = may("token.manage") && html`<button class="btn btn-primary" onClick=${() => setMaking(true)}><${Icon} name="plus" />${_("Create token")}</button>`;
  return html`${head?.(create)}<${List} endpoint="/tokens" fixed=${fixed} caption=${_("Tokens")} columns=${columns(owner)} sort="-created_at" onRows=${setList} toolbarEnd=${head ? undefined : create} empty=${{ text: empty, action: create }} when=${(message) => message.type === "token"} />
    ${making && html`<${NewToken} onClose=${() => setMaking(false)} onDone=${() => list?.reload()} />`}`;
}
