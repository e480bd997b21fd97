// Oneself: name, theme, password.
import { asProblem, patch } from "../lib/api.js";
import { useResource } from "../lib/data.js";
import { html, useEffect, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Button, Card, Icon } from "../ui/basic.js";
import { forgetTyped } from "../lib/typed.js";
import { TextField } from "../ui/fields.js";
import { PageHead, Waiting, mount } from "../ui/page.js";
import { THEMES, chooseTheme, themeNow } from "../shell/person.js";
import { toast } from "../ui/toast.js";

function Theme() {
  const [theme, setTheme] = useState(themeNow());
  const pick = (value) => { setTheme(value); chooseTheme(value); };
  return html`<${Card} title=${_("Appearance")} id="appearance"><div class="choice-grid" role="radiogroup" aria-labelledby="appearance">${THEMES.map(([value, icon, word]) => html`<label class="choice" key=${value}>
    <input type="radio" name="theme" value=${value} checked=${theme === value} onChange=${() => pick(value)} /><span class="choice-title"><${Icon} name=${icon} />${word()}</span></label>`)}</div><//>`;
}

function Person({ me, onDone }) {
  const [name, setName] = useState(me.name);
  const [problem, setProblem] = useState(null);
  const save = async (event) => {
    event?.preventDefault();
    setProblem(null);
    try { onDone(await patch("/me", { name })); forgetTyped(); toast(_("Saved.")); } catch (error) { setProblem(asProblem(error)); }
  };
  return html`<${Card} title=${_("You")} id="you"><form class="fields" onSubmit=${save}>
    <${TextField} label=${_("Name")} name="name" autocomplete="name" value=${name} error=${problem && (problem.field("name") || problem.message)} onInput=${setName} />
    <${TextField} label=${_("E-mail")} value=${me.email} disabled hint=${_("You sign in with it; your hosting company can change it.")} onInput=${() => {}} />
    <div><${Button} kind="btn-primary" onClick=${save}>${_("Save profile")}<//></div></form><//>`;
}

function Profile() {
  const resource = useResource("/me");
  const [me, setMe] = useState(null);
  useEffect(() => { if (resource.data) setMe(resource.data); }, [resource.data]);
  if (!me) return html`<${PageHead} title=${_("Profile")} /><${Waiting} resource=${resource} back=${["/", _("Start page")]} missing="" />`;
  return html`<${PageHead} title=${_("Profile")} /><div class="columns"><div class="stack"><${Person} me=${me} onDone=${setMe} /><${Theme} /></div>
    <div class="stack"><${Card} title=${_("Password")} id="password"><div class="stack-small"><p class="soft">${_("Used to sign in with your e-mail address.")}</p><div><a class="btn" href="/accounts/password/change/"><${Icon} name="lock" />${_("Change password")}</a></div></div><//>
      <${Card} title=${_("Belongs to")} id="belongs"><ul class="plain-list">${me.staff_role && html`<li>${_("Hosting company")} <span class="badge badge-accent">${me.staff_role === "admin" ? _("Administrator") : _("Operator")}</span></li>`}
        ${me.customers.map((customer) => html`<li key=${customer.id}>${customer.name} <span class="badge">${{ viewer: _("Viewer"), member: _("Member"), owner: _("Owner") }[customer.role]}</span></li>`)}</ul><//></div></div>`;
}

mount(Profile);
