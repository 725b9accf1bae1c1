// The theme, and the uses of the quantity under the pointer.
const theme = document.getElementById("theme");

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
}

theme.setAttribute("aria-pressed", dark());
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  theme.setAttribute("aria-pressed", dark());
});

let lit = [];
document.addEventListener("pointerover", (event) => {
  for (const each of lit) each.classList.remove("lit");
  const name = event.target.closest?.("[data-v]");
  const home = name?.closest("[data-program]");
  // The body of a loop is a program of its own, with numbers of its own.
  const own = (each) => each.closest("[data-program]") === home;
  lit = home ? [...home.querySelectorAll(`[data-v="${name.dataset.v}"]`)].filter(own) : [];
  for (const each of lit) each.classList.add("lit");
});
