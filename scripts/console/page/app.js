import { byId } from "./dom.js";
import { showSnapshot } from "./operator.js";
import { startPhone } from "./phone.js";

const VIEWS = ["phone", "operator"];

const alarm = byId("alarm");
/** Shows alerts in the header and the tab, in every view. */
let firing = [];

function showAlarm() {
  const critical = firing.filter(({ severity }) => severity === "critical").length;
  const count = critical || firing.length;
  const kind = critical > 0 ? "critical alert" : "alert";
  const words = `${count} ${kind}${count === 1 ? "" : "s"}`;
  alarm.hidden = count === 0;
  alarm.dataset.level = critical > 0 ? "bad" : "warn";
  if (alarm.textContent !== words) alarm.textContent = words;
  const view = byId("phone").hidden ? "Operator" : "Phone";
  document.title = `${count === 0 ? "" : `(${words}) `}${view} – TradeLine`;
}

function showView() {
  const asked = location.hash.slice(2);
  const view = VIEWS.includes(asked) ? asked : "phone";
  for (const name of VIEWS) byId(name).hidden = name !== view;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  showAlarm();
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
    return complain("The database does not answer. The figures may be old.");
  }
  complain("");
  firing = snapshot.alerts ?? [];
  showAlarm();
  const calls = snapshot.counts.active;
  tell(calls > 0 ? "busy" : "live", calls === 0 ? "Live" : `${calls} on the line`);
  showSnapshot(snapshot);
};
news.onerror = () => {
  tell("down", "Offline");
  complain("The local server does not answer. This page continues when it is back.");
};
