// Names and roles that Sphinx and the theme leave out, for screen readers.
document.addEventListener("DOMContentLoaded", () => {
  for (const toggle of document.querySelectorAll("summary:has(> .toctree-toggle)")) {
    const section = toggle.closest("li")?.querySelector("a")?.textContent ?? "section";
    toggle.setAttribute("aria-label", `Pages of ${section.trim()}`);
  }
  for (const list of document.querySelectorAll(".citation-list, .citation-list > .citation")) {
    list.removeAttribute("role");
  }
});
