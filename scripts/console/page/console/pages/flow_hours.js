/** Calendars that are open or closed by hand for a time. */
import { may, me } from "../session.js";
import { call } from "../data.js";
import { t } from "../words.js";
import { act, Card, Do, html, Time, useState } from "../parts.js";

/** How long a calendar is overridden, in hours. */
const SPANS = () => [
  [1, t("1 hour", "1 heure")],
  [4, t("4 hours", "4 heures")],
  [24, t("1 day", "1 jour")],
  [72, t("3 days", "3 jours")],
  [168, t("1 week", "1 semaine")],
];

/** Opens or closes a calendar, for a day that closes early: it wins over the calendar, and always ends. */
export function Hours({ name, calendars, overrides, reload }) {
  const [hours, setHours] = useState(4);
  if (calendars.length === 0) return null;
  const set = (calendar, state, until) =>
    call("call-flows/override", { body: { name, org_id: me.org_id, calendar, state, until } }).then(
      reload,
    );
  const span = SPANS().find(([each]) => each === hours)[1];
  const said = {
    open: [t("Open now", "Ouvrir"), t(`Open for ${span}.`, `Ouvert pendant ${span}.`)],
    closed: [t("Close now", "Fermer"), t(`Closed for ${span}.`, `Fermé pendant ${span}.`)],
  };
  return html`
    <${Card} id="hours" title=${t("Open or closed by hand", "Ouvert ou fermé à la main")}>
      ${may("admin") && html`
        <label
          class="row small">${t("For", "Pendant")} <select value=${hours} onChange=${(event) =>
            setHours(Number(event.target.value))}>${SPANS().map(([each, words]) =>
              html`<option key=${each} value=${each}>${words}</option>`
            )}</select></label>
      `}
      <ul class="list">${calendars.map((calendar) => {
        const now = overrides.find((each) =>
          each.calendar === calendar && new Date(each.until) > new Date()
        );
        const back = () => set(calendar, now?.state ?? null, now?.until);
        return html`<li key=${calendar}><span class="grow">${calendar} ${
          now &&
          html`<span class="tag warn">${
            now.state === "open" ? t("open", "ouvert") : t("closed", "fermé")
          } ${t("until", "jusqu’à")} <${Time} at=${now.until} /></span>`
        }</span>
      ${
          may("admin") && html`${
            Object.entries(said).map(([state, [words, done]]) =>
              html`<${Do} key=${state} aria-label=${`${words}: ${calendar}`} act=${() =>
                act(
                  () =>
                    set(calendar, state, new Date(Date.now() + hours * 3_600_000).toISOString()),
                  done,
                  back,
                )}>${words}<//>`
            )
          }
        ${
            now &&
            html`<${Do} aria-label=${
              t(`By the calendar: ${calendar}`, `Selon l’horaire : ${calendar}`)
            } act=${() =>
              act(
                () => set(calendar, null, null),
                t("By the calendar again.", "Selon l’horaire."),
                back,
              )}>${t("By the calendar", "Selon l’horaire")}<//>`
          }`
        }</li>`;
      })}</ul>
      <//>
  `;
}
