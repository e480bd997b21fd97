// Who is signed in: profile, theme, sign out.
import { patch } from "../lib/api.js";
import { boot, may } from "../lib/boot.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Icon } from "../ui/basic.js";
import { Menu } from "../ui/menu.js";

export const THEMES = [["auto", "device-desktop", () => _("As the system")], ["light", "sun", () => _("Light")], ["dark", "moon", () => _("Dark")]];

export const themeNow = () => document.documentElement.dataset.theme || "auto";

/** Show a theme at once and remember it on this browser and for the person. */
export async function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("innkeeper.theme", theme); } catch { /* the server keeps it */ }
  await patch("/me", { theme }).catch(() => {});
}

function signOut() {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/accounts/logout/";
  const token = Object.assign(document.createElement("input"), { type: "hidden", name: "csrfmiddlewaretoken", value: boot.csrf });
  form.append(token);
  document.body.append(form);
  try { sessionStorage.clear(); } catch { /* nothing kept */ }
  form.submit();
}

export function PersonMenu({ name, mail }) {
  const [theme, setTheme] = useState(themeNow());
  const pick = (value) => { setTheme(value); chooseTheme(value); };
  const initials = name.split(/[\s@.]+/).filter(Boolean).slice(0, 2).map((word) => word[0].toUpperCase()).join("");
  return html`<${Menu} label=${_("%(initials)s, account of %(name)s", { initials, name })} buttonClass="icon-button" button=${html`<span class="initials" aria-hidden="true">${initials}</span>`}
    head=${html`<div class="menu-head"><div class="ellipsis">${name}</div>${mail !== name && html`<div class="muted ellipsis">${mail}</div>`}</div>`}
    items=${[
      { text: _("Profile"), icon: "user", href: "/profile" },
      ...(may("token.view") ? [{ text: _("Tokens"), icon: "id-badge-2", href: "/tokens" }] : []),
      null,
      ...THEMES.map(([value, icon, word]) => ({ text: word(), icon, checked: theme === value, onSelect: () => pick(value) })),
      null,
      { text: _("Sign out"), icon: "logout", onSelect: signOut },
    ]} />`;
}
