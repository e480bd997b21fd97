// Django's JavaScript catalogue is loaded before the modules and defines gettext and ngettext.
const fill = (text, values) => (values ? text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name] ?? "")) : text);

/** Translate; `%(name)s` is replaced from `values`. */
export const _ = (text, values) => fill(globalThis.gettext ? globalThis.gettext(text) : text, values);

/** Translate with the plural form of `count`, which is also `%(count)s`. */
export const plural = (one, many, count, values) => {
  const text = globalThis.ngettext ? globalThis.ngettext(one, many, count) : count === 1 ? one : many;
  return fill(text, { count, ...values });
};
