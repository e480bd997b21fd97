// Things shown once: a set-password link, a token.
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { CopyButton, Notice } from "./basic.js";
import { Dialog } from "./dialog.js";

export const SecretLine = ({ value, label }) => html`<div class="command-line"><code>${value}</code><${CopyButton} value=${value} label=${label} /></div>`;

export const LinkDialog = ({ url, email, onClose }) => html`<${Dialog} firm title=${_("Set-password link")} onClose=${onClose}
  foot=${html`<button class="btn btn-primary" onClick=${onClose}>${_("I have handed it over")}</button>`}>
  <p>${_("Give this link to %(email)s. It sets a password once, within 24 hours, and is shown only now.", { email })}</p>
  <${SecretLine} value=${url} label=${_("Copy link")} /><${Notice} kind="warning">${_("It is as good as a password: whoever has it can take the account.")}<//><//>`;

export const TokenDialog = ({ token, name, onClose }) => html`<${Dialog} firm title=${_("Token “%(name)s”", { name })} onClose=${onClose}
  foot=${html`<button class="btn btn-primary" onClick=${onClose}>${_("I have kept it")}</button>`}>
  <p>${_("It is shown only now; the panel keeps no copy.")}</p><${SecretLine} value=${token} label=${_("Copy token")} />
  <p class="field-hint">${_("Send it as the header “Authorization: Bearer …”.")}</p><//>`;
