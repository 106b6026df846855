/** A call back to the other party of a call. */
import { db, me } from "../session.js";
import { ask, useLive } from "../data.js";
import { t } from "../words.js";
import { act, Do, html } from "../parts.js";

/** Rings one's own telephone; after the key 1 it calls the number. `name`: in a list, whom it calls. */
export function CallBack({ call, reload, name }) {
  const mine = useLive(
    () =>
      me.member_id
        ? ask(db.from("people").select("handle, verified_at").eq("member_id", me.member_id))
        : [],
    "mine",
    60_000,
  );
  const person = mine.data?.[0];
  if (!person?.verified_at) {
    return !name && html`<small>${
      t(
        "To call back, an admin links you to a verified telephone under People.",
        "Pour rappeler, un administrateur vous lie à un téléphone vérifié sous Personnes.",
      )
    }</small>`;
  }
  return html`<${Do} kind=${name ? "quiet" : "primary"} aria-label=${
    name && t(`Call back: ${name}`, `Rappeler : ${name}`)
  } act=${() =>
    act(
      () => ask(db.rpc("call_back", { p_call_sid: call.call_sid })).then(reload),
      t(
        "Your telephone rings. Press 1, and the number is called.",
        "Votre téléphone sonne. Appuyez sur 1 pour appeler le numéro.",
      ),
    )}>${t("Call back", "Rappeler")}<//>`;
}
