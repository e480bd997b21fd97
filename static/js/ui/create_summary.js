// The summary beside the form: price, what happens on click, why not.
import { boot } from "../lib/boot.js";
import { gib, mib, money } from "../lib/format.js";
import { html } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { TYPE_NAMES } from "../lib/words.js";
import { Button, Facts, Icon, Notice, ProblemNotice } from "./basic.js";

export function Summary({ form, image, plan, quote, failure, submit, ready }) {
  const size = plan || (form.own_size ? form : null);
  const answer = quote.fresh ? quote.answer : null;
  const price = answer?.price || (plan && { monthly: plan.price_monthly, hourly: plan.price_hourly, currency: plan.currency });
  const blocked = answer && (answer.errors.length > 0 || !answer.feasible);
  const looseFailure = failure && !failure.errors?.length ? failure : null;
  const chosen = answer?.placement?.find((one) => one.chosen);
  const refused = (answer?.placement || []).filter((one) => one.refusal);
  const why = answer?.errors.length ? _("Something above needs another look.") : answer && !answer.feasible ? answer.reason : "";
  return html`<aside class="summary" aria-label=${_("Summary")}><div class="card"><div class="card-pad stack">
    ${price ? html`<div><div class="summary-price">${money(price.monthly, price.currency)}<small> ${_("a month")}</small></div><div class="muted">${_("%(price)s an hour; never more than the monthly price", { price: money(price.hourly, price.currency, 4) })}</div></div>`
      : html`<div class="summary-price summary-empty">${form.own_size ? _("No price") : "–"}</div>`}
    <${Facts} rows=${[[_("Name"), form.name || "–"], [_("Image"), image?.name || "–"], [_("Type"), TYPE_NAMES[form.host_type] || "–"],
      size && [_("Size"), html`${size.vcpus} vCPU · ${mib(size.memory_mib)}<br />${_("%(size)s disk", { size: gib(size.disk_gib) })}`],
      chosen && [_("Goes to"), chosen.host_name],
      [_("Access"), (form.keys || []).length ? (form.want_password ? _("keys and a password") : _("SSH keys")) : _("a one-time password")]]} />
    ${refused.length > 0 && html`<details class="fold refusals"><summary><${Icon} name="chevron-right" />${plural("%(count)s host cannot take it", "%(count)s hosts cannot take it", refused.length)}</summary>
      <dl class="facts">${refused.map((one) => html`<dt>${one.host_name}</dt><dd class="soft">${one.refusal}</dd>`)}</dl></details>`}
    ${why && html`<${Notice} kind="warning">${why}<//>`}
    <${ProblemNotice} problem=${looseFailure || (quote.fresh && quote.problem && quote.problem.status !== 400 ? quote.problem : null)} />
    <${Button} kind="btn-primary btn-wide" type="submit" onClick=${submit} disabled=${!ready || blocked} reason=${why}>${boot.staff ? _("Create guest") : _("Create server")}<//>
    <p class="field-hint">${_("It gets its address at once and starts by itself; you see each step.")}</p></div></div></aside>`;
}
