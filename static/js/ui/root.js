// "Log in as root": the command, the one-time password, the fingerprints for the first connection.
import { post } from "../lib/api.js";
import { boot } from "../lib/boot.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { forgetOnce, keepOnce, readOnce } from "../lib/once.js";
import { Copy, Icon, Notice } from "./basic.js";
import { Confirm, openDialog } from "./dialog.js";
import { SecretLine } from "./secret.js";
import { toast, toastProblem } from "./toast.js";

export const passwordKey = (guest) => `root-password.${guest.id}`;

/** Addresses that are not routed in the world: the machine reaches them, nobody else. */
const PRIVATE_V4 = /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;
const isPrivate = ({ address, family }) => (family === 4 ? PRIVATE_V4.test(address) : /^f[cd]/i.test(address));
const panelHost = () => (["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) ? "HOST" : location.hostname);

/** Why nobody can log in now, or "". */
function situation(guest) {
  const words = boot.staff ? STAFF_WORDS() : WORDS();
  if (guest.suspensions.length) return words.suspended;
  if (guest.lifecycle !== "active") return words[guest.lifecycle] || words.deleting;
  return guest.power_state === "shutoff" ? words.off : "";
}

const WORDS = () => ({
  suspended: _("The server is suspended: it cannot be reached until that is lifted."),
  provisioning: _("The server is being built. The command works as soon as its first boot is done."),
  error: _("The server could not be built, so there is nothing to log in to."),
  deleted: _("The server is deleted."), deleting: _("The server is being deleted."),
  off: _("The server is off. Start it to log in."),
});
const STAFF_WORDS = () => ({
  suspended: _("The guest is suspended: it cannot be reached until that is lifted."),
  provisioning: _("The guest is being built. The command works as soon as its first boot is done."),
  error: _("The guest could not be built, so there is nothing to log in to."),
  deleted: _("The guest is deleted."), deleting: _("The guest is being deleted."),
  off: _("The guest is off. Start it to log in."),
});

function OncePassword({ guest, password, onDismiss }) {
  return html`<div class="stack-small once"><div class="spread"><h3>${_("Root password")}</h3><button type="button" class="btn btn-sm btn-quiet" onClick=${onDismiss}>${_("I have kept it")}</button></div>
    <${SecretLine} value=${password} label=${_("Copy root password")} /><p class="field-hint">${_("Shown only in this tab, until you dismiss it. The panel keeps no copy.")}</p></div>`;
}

function Fingerprints({ keys }) {
  if (!keys.length) return html`<p class="field-hint">${_("The host-key fingerprints appear here after the first boot.")}</p>`;
  return html`<details class="fold" open><summary><${Icon} name="chevron-right" />${_("Host-key fingerprints")}</summary>
    <div class="stack-small"><p class="field-hint">${_("Read from its own boot output. Compare before the first “yes”.")}</p>
    <ul class="fingerprints">${keys.map((key) => html`<li key=${key.fingerprint}><span class="kind">${key.type.replace(/^ssh-|-sha2.*$/g, "").toUpperCase()}</span><code>${key.fingerprint}</code></li>`)}</ul></div></details>`;
}

/** Ask for a new root password; the answer's is shown once. */
function resetPassword(guest, onDone) {
  openDialog((close) => html`<${Confirm} title=${_("Reset root password of %(name)s", { name: guest.name })} submit=${_("Reset root password")} danger=${false} onClose=${close}
    onConfirm=${async () => {
      close();
      try {
        const answer = await post(`/guests/${guest.id}/actions/reset-root-password`);
        if (answer.root_password) keepOnce(passwordKey(guest), answer.root_password);
        toast(_("A new password is being set."));
        onDone(answer);
      } catch (problem) { toastProblem(problem); }
    }}><p>${_("If it runs, it is restarted and takes the new password while it boots. What is not yet on disk is lost. Keys stay.")}</p><//>`);
}

export function RootCard({ guest, onDone }) {
  const [password, setPassword] = useState(readOnce(passwordKey(guest)));
  const [glow, setGlow] = useState(false);
  const ready = useRef(guest.ready_at);
  useEffect(() => { if (guest.ready_at && !ready.current) setGlow(true); ready.current = guest.ready_at; }, [guest.ready_at]);
  const main = guest.addresses.find((one) => one.family === 4) || guest.addresses[0];
  const other = guest.addresses.find((one) => one !== main);
  const word = situation(guest);
  const reset = guest.supports.find((entry) => entry.action === "reset-root-password");
  const dismiss = () => { forgetOnce(passwordKey(guest)); setPassword(""); };
  if (["error", "deleted", "deleting"].includes(guest.lifecycle)) {
    return html`<section class="card root-card" aria-labelledby="root-card"><div class="card-head"><h2 id="root-card">${_("Log in as root")}</h2></div><div class="card-pad"><p class="soft">${word}</p></div></section>`;
  }
  const done = (answer) => { setPassword(answer.root_password || ""); onDone(answer); };
  return html`<section class=${`card root-card${glow ? " is-new" : ""}`} aria-labelledby="root-card">
    <div class="card-head"><h2 id="root-card">${_("Log in as root")}</h2>
      ${reset?.allowed && html`<button type="button" class="btn btn-sm" onClick=${() => resetPassword(guest, done)}><${Icon} name="lock" />${_("Reset password")}</button>`}</div>
    <div class="card-pad stack">
      ${word && html`<p class="soft">${word}</p>`}
      ${main && html`<div class="stack-small"><${SecretLine} value=${`ssh root@${main.address}`} label=${_("Copy command")} />
        ${other && html`<p class="field-hint">${other.family === 6 ? _("Or by IPv6:") : _("Or:")} <${Copy} value=${`ssh root@${other.address}`} /></p>`}</div>`}
      ${main && isPrivate(main) && html`<${Notice}><p>${_("This address is private: only the host reaches it. From elsewhere, go through the host:")}</p>
        <${SecretLine} value=${`ssh -J root@${guest.host_address || panelHost()} root@${main.address}`} label=${_("Copy command")} /><//>`}
      ${password ? html`<${OncePassword} guest=${guest} password=${password} onDismiss=${dismiss} />`
        : html`<p class="field-hint">${guest.password_set ? _("Root has a password. It is not kept here; a lost one is replaced by “Reset password”.") : _("Root logs in with the SSH keys that it was made with; there is no password.")}</p>`}
      <${Fingerprints} keys=${guest.host_keys} />
    </div></section>`;
}
