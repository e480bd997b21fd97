// The team: who may do what with this customer's servers.
import { boot } from "../lib/boot.js";
import { useUrlQuery } from "../lib/data.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Card, Empty } from "../ui/basic.js";
import { SelectField } from "../ui/fields.js";
import { Members } from "../ui/members.js";
import { PageHead, mount } from "../ui/page.js";

function Team() {
  const [query, setQuery] = useUrlQuery();
  const now = boot.customers.find((one) => one.id === query.team) || boot.customers[0];
  if (!now) return html`<${PageHead} title=${_("Team")} /><${Card}><${Empty}>${_("You do not belong to a team yet. Your hosting company can add you to one.")}<//><//>`;
  return html`<${PageHead} title=${_("Team")} sub=${now.name}>
      ${boot.customers.length > 1 && html`<${SelectField} value=${now.id} options=${boot.customers.map((one) => [one.id, one.name])} name="team" aria-label=${_("Team")} onChange=${(team) => setQuery({ team }, { push: true })} />`}<//>
    <${Members} key=${now.id} customer=${now.id} />`;
}

mount(Team);
