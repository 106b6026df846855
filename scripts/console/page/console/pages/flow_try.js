/** A flow tried with a caller's keys and a date. */
import { me } from "../session.js";
import { call, Failure } from "../data.js";
import { minutes, phone, t } from "../words.js";
import { Card, Form, html, useState } from "../parts.js";

/** What a caller would hear, by the interpreter that answers calls; nobody is rung. */
export function Try({ definition, ok }) {
  const [tried, setTried] = useState();
  const line = (each) =>
    ({
      hears: () => html`“${each.text}”`,
      presses: () => html`<strong>${t("presses", "appuie sur")} ${each.text}</strong>`,
      says: () => html`<strong>${t("says", "dit")} “${each.text}”</strong>`,
      silence: () => t("is silent", "se tait"),
      rings: () =>
        `${t("rings", "sonne")} ${each.numbers.map(phone).join(", ")}: ${
          {
            answered: t("answered", "répondu"),
            refused: t("not accepted", "non accepté"),
            no_answer: t("nobody answers", "sans réponse"),
          }[each.result]
        }`,
      holds: () => `${t("waits", "attend")} ${minutes(each.seconds)}`,
      message: () => t("leaves a message", "laisse un message"),
      end: () => t("the call ends", "l’appel se termine"),
    })[each.kind]?.() ?? each.kind;
  return html`
    <${Card} id="try" title=${t("Try it", "Essayer")}>
      <${Form} label=${t("Try it", "Essayer")} button=${t("Try", "Essayer")} submit=${async (
        { keys, at, no_answer },
      ) => {
        if (!ok) throw new Failure(t("Mend the faults first.", "Corrigez d’abord les erreurs."));
        const answer = await call("call-flows/check", {
          body: {
            definition,
            org_id: me.org_id,
            caller: {
              keys: keys.split(/[\s,]*/).filter(Boolean),
              ...(at && { at }),
              no_answer: no_answer === "on",
            },
          },
        });
        setTried(answer.tried);
      }}>
          <div class="row"><label>${t(
            "Keys",
            "Touches",
          )}<input name="keys" placeholder="1, 9" pattern="[0-9*#, ]*" autocomplete="off" size="8" /></label>
          <label>${t(
            "Date and time",
            "Date et heure",
          )}<input name="at" type="datetime-local" /></label></div>
          <label class="row"><input type="checkbox" name="no_answer" /> ${t(
            "Nobody answers",
            "Personne ne répond",
          )}</label>
        <//>
        ${tried && html`
          <ol class="list" aria-label=${t("What happens", "Ce qui se passe")}>${tried.happenings
            .map((each, i) => html`<li key=${i}>${line(each)}</li>`)}</ol>
          <p class="small">${minutes(tried.seconds)}. ${tried.path.join(" → ")}</p>
        `}
      <//>
  `;
}
