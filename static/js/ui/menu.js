// Menus: arrows move, Escape and a click elsewhere close, focus returns to the button.
import { html, useEffect, useId, useRef, useState } from "../lib/html.js";
import { Icon } from "./basic.js";
import { useTopLayer } from "./place.js";

/**
 * A button with a menu. `items`: {text, note, icon, onSelect | href, danger, disabled, reason, checked} or null
 * for a line. `head` stands above them.
 */
export function Menu({ label, button, buttonClass = "btn", items, head, left, role = "menu" }) {
  const [open, setOpen] = useState(false);
  const anchor = useRef(null);
  const box = useRef(null);
  useTopLayer(box, anchor, open, left);
  const id = useId();
  useEffect(() => {
    if (!open) return undefined;
    anchor.current.querySelector("[role^=menuitem]")?.focus({ preventScroll: true });
    const elsewhere = (event) => { if (!anchor.current?.contains(event.target)) setOpen(false); };
    document.addEventListener("pointerdown", elsewhere);
    return () => document.removeEventListener("pointerdown", elsewhere);
  }, [open]);
  const close = () => { setOpen(false); anchor.current?.querySelector("button")?.focus(); };
  const keys = (event) => {
    if (!open) return;
    const all = [...anchor.current.querySelectorAll("[role^=menuitem]")];
    const at = all.indexOf(document.activeElement);
    const go = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (go !== undefined) { event.preventDefault(); all[go % all.length]?.focus(); }
    if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); }
    if (event.key === "Tab") setOpen(false);
  };
  return html`<div class="menu-anchor" ref=${anchor} onKeyDown=${keys}>
    <button type="button" class=${buttonClass} aria-haspopup="menu" aria-expanded=${open ? "true" : "false"} aria-label=${label}
      aria-controls=${open ? id : undefined} onClick=${() => setOpen(!open)}>${button}</button>
    ${open && html`<div class="menu" popover="manual" ref=${box}>${head}
      <div id=${id} role=${role} aria-label=${label || undefined}>${items.map((item) =>
        item ? html`<${MenuItem} key=${item.text} ...${item} close=${close} />` : html`<div class="menu-line" role="separator"></div>`)}</div></div>`}
  </div>`;
}

function MenuItem({ text, note, icon, onSelect, href, danger, disabled, reason, checked, close }) {
  const shared = {
    class: `menu-item${danger ? " is-danger" : ""}`,
    role: checked === undefined ? "menuitem" : "menuitemradio",
    tabIndex: -1,
    "aria-checked": checked === undefined ? undefined : String(checked),
    "aria-disabled": disabled ? "true" : undefined,
  };
  const body = html`${icon && html`<${Icon} name=${icon} />`}<span>${text}${(reason || note) && html`<small>${disabled ? reason || note : note}</small>`}</span>`;
  if (href && !disabled) return html`<a ...${shared} href=${href}>${body}</a>`;
  const select = () => { if (disabled) return; close(); onSelect(); };
  return html`<button type="button" ...${shared} onClick=${select}>${body}</button>`;
}
