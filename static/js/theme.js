// Runs before the first paint: "auto" follows the system, also when the system changes its mind.
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const wanted = root.dataset.theme;
    root.dataset.bsTheme = wanted === "dark" || (wanted !== "light" && dark.matches) ? "dark" : "light";
  };
  try {
    if (root.dataset.theme === "auto") root.dataset.theme = localStorage.getItem("innkeeper.theme") || "auto";
  } catch { /* storage may be forbidden; the system's theme it is */ }
  try {
    if (localStorage.getItem("innkeeper.rail") === "folded") root.dataset.rail = "folded";
  } catch { /* an unfolded bar */ }
  apply();
  dark.addEventListener("change", apply);
  new MutationObserver(apply).observe(root, { attributeFilter: ["data-theme"] });
})();
