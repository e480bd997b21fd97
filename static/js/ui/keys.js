// The form that keeps an SSH public key; also used while creating a server.
import { post } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { FormDialog } from "./dialog.js";
import { SelectField, TextField } from "./fields.js";

/** A key's comment is a good name for it. */
const commentOf = (line) => line.trim().split(/\s+/).slice(2).join(" ");

/** For `customer`, or for one of `teams` ({id, name}) that is chosen here. */
export function NewKey({ customer, teams = [], onClose, onDone }) {
  const [form, setForm] = useState({ name: "", public_key: "", customer: customer || teams[0]?.id || "" });
  const save = async () => {
    const body = { name: form.name || commentOf(form.public_key) || _("key"), public_key: form.public_key };
    if (form.customer) body.customer = form.customer;
    onDone(await post("/ssh-keys", body));
    onClose();
  };
  return html`<${FormDialog} title=${_("Add SSH key")} submit=${_("Add key")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    ${!customer && teams.length > 1 && html`<${SelectField} label=${_("Team")} name="customer" value=${form.customer} error=${problem?.field("customer")} options=${teams.map((team) => [team.id, team.name])}
      onChange=${(chosen) => setForm({ ...form, customer: chosen })} />`}
    <${TextField} label=${_("Public key")} name="public_key" rows="4" autofocus required placeholder="ssh-ed25519 AAAA… you@laptop" value=${form.public_key} error=${problem?.field("public_key")}
      hint=${_("The content of ~/.ssh/id_ed25519.pub. The private key never leaves your machine.")} onInput=${(public_key) => setForm({ ...form, public_key })} />
    <${TextField} label=${_("Name")} name="name" placeholder=${commentOf(form.public_key) || _("laptop")} value=${form.name} error=${problem?.field("name")} onInput=${(name) => setForm({ ...form, name })} />`}<//>`;
}
