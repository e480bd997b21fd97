// A customer's quota: five numbers, empty is unlimited.
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { NumberField } from "./fields.js";

export const QUOTAS = () => [["guests", _("Guests")], ["vcpus", _("vCPUs")], ["memory_mib", _("Memory, MiB")], ["disk_gib", _("Disk, GiB")], ["addresses", _("Addresses")]];

export const quotaBody = (quota) => Object.fromEntries(QUOTAS().map(([name]) => [name, quota[name] ?? null]));

export const QuotaFields = ({ quota, problem, onChange }) => html`<fieldset class="plain-fieldset"><legend class="form-label">${_("Quota")} <span class="muted">(${_("empty is unlimited")})</span></legend>
  <div class="fields-3">${QUOTAS().map(([name, word]) => html`<${NumberField} key=${name} label=${word} name=${`quota.${name}`} min="0" value=${quota[name]} error=${problem?.field(`quota.${name}`)}
    onInput=${(value) => onChange({ ...quota, [name]: value })} />`)}</div></fieldset>`;
