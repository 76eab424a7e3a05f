// Take over Airflow's look before anything is drawn, and whenever its switch is used.
(() => {
  const outer = parent !== window ? parent.document.documentElement : null;
  const own = document.documentElement;
  const names = [
    "bg", "bg-subtle", "bg-muted", "fg", "fg-muted", "border", "brand-solid", "brand-fg",
    "brand-focusRing", "success-solid", "warning-solid", "error-solid",
  ];
  const alone = () => {
    const kept = localStorage.getItem("theme");
    if (kept === "dark" || kept === "light") return kept;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  };
  const take = () => {
    if (!outer) {
      own.dataset.theme = alone();
      return;
    }
    own.dataset.theme = outer.classList.contains("dark") ? "dark" : "light";
    const look = getComputedStyle(outer);
    for (const name of names) {
      const value = look.getPropertyValue(`--chakra-colors-${name}`).trim();
      if (value) own.style.setProperty(`--${name}`, value);
    }
    const font = getComputedStyle(parent.document.body).fontFamily;
    if (font) own.style.setProperty("--font", font);
  };
  take();
  if (outer) {
    new MutationObserver(take).observe(outer, { attributes: true, attributeFilter: ["class"] });
  }
})();
