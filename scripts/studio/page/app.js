import { byId } from "./dom.js";
import { showSnapshot } from "./operator.js";
import { startPhone } from "./phone.js";

const VIEWS = ["phone", "operator"];

function showView() {
  const asked = location.hash.slice(2);
  const view = VIEWS.includes(asked) ? asked : "phone";
  for (const name of VIEWS) byId(name).hidden = name !== view;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view === "phone" ? "Phone" : "Operator"} – TradeLine`;
}

addEventListener("hashchange", () => {
  if (location.hash.startsWith("#/")) showView();
});
showView();
startPhone();

const pulse = byId("pulse");
const offline = byId("offline");

function tell(state, words) {
  if (pulse.dataset.state !== state || pulse.textContent !== words) {
    pulse.dataset.state = state;
    pulse.textContent = words;
  }
}

function complain(words) {
  offline.hidden = words === "";
  offline.textContent = words;
}

const news = new EventSource("/api/live");
news.onmessage = ({ data }) => {
  const snapshot = JSON.parse(data);
  if (snapshot.unavailable) {
    tell("down", "No database");
    return complain("The database does not answer. What you see may be old.");
  }
  complain("");
  const calls = snapshot.active.length;
  tell(calls > 0 ? "busy" : "live", calls === 0 ? "Live" : `${calls} on the line`);
  showSnapshot(snapshot);
};
news.onerror = () => {
  tell("down", "Offline");
  complain("The local server does not answer. This page goes on when it is back.");
};
