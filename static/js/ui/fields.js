// Form fields: a label, a hint, and the server's sentence about them.
import { html, useId } from "../lib/html.js";
import { Icon } from "./basic.js";

const Frame = ({ id, label, hint, error, children, optional }) => html`<div>
  ${label && html`<label class="form-label" for=${id}>${label}${optional && html` <span class="muted">(${optional})</span>`}</label>`}
  ${children}
  ${error ? html`<p class="field-error" id=${`${id}-error`} role="alert"><${Icon} name="alert-triangle" small />${error}</p>`
    : hint && html`<p class="field-hint" id=${`${id}-hint`}>${hint}</p>`}
</div>`;

const described = (id, { hint, error }) => ({
  "aria-invalid": error ? "true" : undefined,
  "aria-describedby": error ? `${id}-error` : hint ? `${id}-hint` : undefined,
});

/** `onInput` gets the text. */
export function TextField({ label, hint, error, optional, value, onInput, rows, ...rest }) {
  const id = useId();
  const common = { id, class: "form-control", value, onInput: (event) => onInput(event.target.value), ...described(id, { hint, error }), ...rest };
  return html`<${Frame} ...${{ id, label, hint, error, optional }}>
    ${rows ? html`<textarea rows=${rows} spellcheck="false" ...${common}></textarea>` : html`<input type="text" ...${common} />`}<//>`;
}

/** `options`: [value, text] pairs; `onChange` gets the value. */
export function SelectField({ label, hint, error, optional, value, options, onChange, ...rest }) {
  const id = useId();
  return html`<${Frame} ...${{ id, label, hint, error, optional }}>
    <select id=${id} class="form-select" value=${value} onChange=${(event) => onChange(event.target.value)}
      ...${described(id, { hint, error })} ...${rest}>
      ${options.map(([key, text, disabled]) => html`<option key=${key} value=${key} selected=${key === value} disabled=${disabled}>${text}</option>`)}
    </select><//>`;
}

export function CheckField({ label, hint, checked, onChange, ...rest }) {
  const id = useId();
  return html`<div class="form-check">
    <input class="form-check-input" type="checkbox" id=${id} checked=${checked} onChange=${(event) => onChange(event.target.checked)} ...${rest} />
    <label class="form-check-label" for=${id}>${label}</label>${hint && html`<p class="field-hint">${hint}</p>`}</div>`;
}

/** Whole numbers; empty is null. */
export function NumberField({ value, onInput, ...rest }) {
  return html`<${TextField} ...${rest} type="number" inputmode="numeric" step="1" value=${value ?? ""}
    onInput=${(text) => onInput(text === "" ? null : Number(text))} />`;
}
