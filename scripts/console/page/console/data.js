/** Requests to the project, their failures in words, and data that stays current. */
import { config, db, me } from "./session.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";
import { phone, t } from "./words.js";

/** A failure in words that a person can act on. */
export class Failure extends Error {
  constructor(message, { offline = false, issues = [], status } = {}) {
    super(message);
    Object.assign(this, { offline, issues, status });
  }
}

/** Whether a request failed on its way, or before the project's own answer. */
const unreached = ({ code, status, message = "" }) =>
  (!code && !status) || status >= 502 || /failed to fetch|networkerror|load failed/i.test(message);

/** What to do about an error that is no refusal, in words; null of a refusal. */
export const onTheWay = (error) =>
  unreached(error)
    ? t(
      "The project does not answer. Check the connection, then try again.",
      "Le projet ne répond pas. Vérifiez la connexion, puis réessayez.",
    )
    : null;

/** The database's refusals in French; in English they are its own words. */
const FRENCH = [
  [
    /^no verified telephone is yours.*$/,
    "Aucun téléphone vérifié n’est à vous : un administrateur vous en lie un sous Personnes.",
  ],
  [/^you are not available.*$/, "Vous n’êtes pas disponible : rendez-vous d’abord disponible."],
  [/^the number was withheld.*$/, "Le numéro est masqué."],
  [/^the number is a line itself.*$/, "Ce numéro est une ligne d’ici."],
  [
    /^the number may not be called.*$/,
    "Ce numéro ne peut pas être appelé : destination non permise, ou appelant non confirmé par son réseau.",
  ],
  [/^the number has said stop.*$/, "Ce numéro ne veut plus être appelé."],
  [
    /^publish a flow first.*$/,
    "Publiez d’abord un scénario : votre téléphone sonne dans sa langue.",
  ],
  [
    /^people are called back from 08:00 to 21:00 \((.*)\): it is (.*)$/,
    "On rappelle de 8 h à 21 h ($1) : il est $2.",
  ],
  [/^the call has not ended.*$/, "L’appel n’est pas terminé."],
  [
    /^there is no line to call from yet.*$/,
    "Aucune ligne pour appeler : publiez un scénario pour une ligne, ou laissez-la prendre un appel.",
  ],
  [/^somebody else has taken this voicemail.*$/, "Une autre personne a pris ce message."],
  [/^the last owner stays.*$/, "Le dernier propriétaire reste : nommez-en d’abord un autre."],
  [/^there are 50 open invitations.*$/, "Il y a 50 invitations ouvertes : retirez-en une d’abord."],
  [/^there are 50 alerts on words.*$/, "Il y a 50 alertes sur des mots : retirez-en une d’abord."],
  [
    /^there are 200 saved searches.*$/,
    "Il y a 200 recherches enregistrées : retirez-en une d’abord.",
  ],
  [/^the campaign has ended.*$/, "La campagne est terminée."],
  [/^the campaign has no number to call from.*$/, "La campagne n’a pas de numéro d’où appeler."],
];
const inFrench = (message) => {
  const [pattern, words] = FRENCH.find(([pattern]) => pattern.test(message)) ?? [];
  return pattern ? message.replace(pattern, words) : message;
};

function failureOf({ code, message = "", status }) {
  if (code === "42501" || status === 403) {
    return new Failure(t("Your role does not allow this.", "Votre rôle ne le permet pas."), {
      status: 403,
    });
  }
  if (code === "23505") {
    return new Failure(t("This exists already.", "Cela existe déjà."), { status: 409 });
  }
  const way = onTheWay({ code, status, message });
  if (way) return new Failure(way, { offline: true });
  return new Failure(
    t(message, inFrench(message)) || t("That did not work.", "Cela n’a pas fonctionné."),
    { status },
  );
}

/** What a Data API request answers, such as `ask(db.from("people").select())`. @throws {Failure} */
export async function ask(request) {
  const { data, error, status } = await request;
  if (error) throw failureOf({ ...error, status });
  return data;
}

/** `{rows, total}` of `db.from("people").select("*", ALL).limit(20)`: some rows, and how many there are. @throws {Failure} */
export async function askSome(request) {
  const { data, error, count, status } = await request;
  if (error) throw failureOf({ ...error, status });
  return { rows: data, total: count };
}
export const ALL = { count: "exact" };

/** An edge function's JSON answer, asked under the person's own token; a file is sent as it is. @throws {Failure} with its `issues` */
export async function call(path, { method = "POST", body, ...init } = {}) {
  const { data: { session } } = await db.auth.getSession();
  const file = body instanceof Blob;
  let response;
  try {
    response = await fetch(`${config.url}/functions/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${session?.access_token}`,
        ...(body !== undefined && { "content-type": file ? body.type : "application/json" }),
      },
      ...(body !== undefined && { body: file ? body : JSON.stringify(body) }),
      ...init,
    });
  } catch {
    throw failureOf({});
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 403) throw failureOf({ status: 403 });
  const { issues = [], error = `${response.status}` } = answer;
  const said = issues.map(({ path, field, message }) => `${path ?? field}: ${message}`).join("; ");
  throw new Failure(answer.message ?? (said || error), { issues, status: response.status });
}

/** A file that an edge function gives, as an address for a player; the caller revokes it. */
export async function blobOf(path) {
  const { data: { session } } = await db.auth.getSession();
  const response = await fetch(`${config.url}/functions/v1/${path}`, {
    headers: { authorization: `Bearer ${session?.access_token}` },
  }).catch(() => {
    throw failureOf({});
  });
  if (!response.ok) throw failureOf({ status: response.status, message: `${response.status}` });
  return URL.createObjectURL(await response.blob());
}

/** How often pages look for news, in milliseconds. */
const LOOK = 3_000;

/**
 * Data that stays current while the page is looked at: `{data, error, reload}`. What was there stays until the new is
 * there, and nothing is drawn anew that did not change, so that nothing jumps.
 *
 * @param load Asks for it.
 * @param key What `load` depends on; another key forgets the data.
 * @param limit How many rows `load` asks for; another limit asks anew, and what is shown stays meanwhile.
 */
export function useLive(load, key = "", every = LOOK, limit = 0) {
  const [state, set] = useState({});
  const asked = `${key} ${limit}`;
  const current = useRef();
  current.current = asked;
  const reload = useCallback(async () => {
    try {
      const data = await load();
      if (current.current !== asked) return;
      set((before) =>
        before.key === key && !before.error && JSON.stringify(before.data) === JSON.stringify(data)
          ? before
          : { key, data }
      );
    } catch (error) {
      if (current.current === asked) {
        set((before) => ({ key, data: before.key === key ? before.data : undefined, error }));
      }
    }
  }, [asked]);
  useEffect(() => {
    let timer;
    let over = false;
    const look = async () => {
      clearTimeout(timer);
      if (document.visibilityState === "visible") await reload();
      if (!over) timer = setTimeout(look, every);
    };
    look();
    addEventListener("focus", look);
    return () => {
      over = true;
      clearTimeout(timer);
      removeEventListener("focus", look);
    };
  }, [reload]);
  return state.key === key ? { ...state, reload } : { reload };
}

/** What contacts are called, of all pages: a name that was shown once is not missing again for a moment. */
const names = new Map();

/**
 * How people call these numbers: a function from a number to its contact's name, or to the number as people read it.
 *
 * @param numbers In E.164; null: withheld.
 */
export function useNames(numbers) {
  const some = [...new Set(numbers.filter(Boolean))].sort().slice(0, 200);
  const own = (number) => `${me.user.id} ${number}`;
  useLive(
    async () => {
      const found = some.length === 0 ? [] : await ask(
        db.from("contacts").select("phone, name").in("phone", some).not("name", "is", null),
      );
      for (const number of some) names.delete(own(number));
      for (const { phone, name } of found) names.set(own(phone), name);
      return found;
    },
    some.join(),
    30_000,
  );
  return (number) => names.get(own(number)) ?? phone(number);
}
