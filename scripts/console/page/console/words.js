/** Words in the person's language, numbers, and times in the organisation's zone. */
import { me } from "./session.js";

export let lang = localStorage.getItem("lang") ??
  (navigator.language.startsWith("fr") ? "fr" : "en");

/** The words in the person's language. */
export const t = (english, french) => lang === "fr" ? french : english;

export function speak(language) {
  lang = language;
  localStorage.setItem("lang", language);
  document.documentElement.lang = language;
}
document.documentElement.lang = lang;

/** `one` or `many` with its number. */
export const count = (n, one, many) =>
  `${number(n)} ${new Intl.PluralRules(lang).select(n) === "one" ? one : many}`;
export const number = (n) => new Intl.NumberFormat(locale()).format(n);
/** An amount in US dollars. */
export const money = (usd) =>
  new Intl.NumberFormat(locale(), { style: "currency", currency: "USD", maximumFractionDigits: 4 })
    .format(usd);
const locale = () => lang === "fr" ? "fr-CA" : "en-CA";

const inZone = (options) => new Intl.DateTimeFormat(locale(), { timeZone: me.zone, ...options });
const dayOf = (date) => inZone({ dateStyle: "short" }).format(date);

/** The time; and the day when it is not today. */
export function moment(iso) {
  const date = new Date(iso);
  return dayOf(date) === dayOf(new Date())
    ? inZone({ timeStyle: "short" }).format(date)
    : inZone({ dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** The moment with its day, seconds and zone. */
export const fullMoment = (iso) =>
  inZone({ dateStyle: "full", timeStyle: "long" }).format(new Date(iso));

export const clock = (iso) => inZone({ timeStyle: "medium" }).format(new Date(iso));

/** `1:05` of 65 seconds. */
export function minutes(seconds) {
  const whole = Math.max(0, Math.round(seconds ?? 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A number as people read it: `+1 403 555 0123`. */
export const phone = (e164) =>
  e164 ? e164.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3") : t("Withheld", "Masqué");

/** How a call ended or stands, in words. */
export function outcome({ disposition, status }) {
  return {
    connected: t("Connected", "Connecté"),
    voicemail: t("Left a message", "A laissé un message"),
    abandoned: t("Hung up", "A raccroché"),
    rate_limited: t("Refused", "Refusé"),
    failed: t("Failed", "Échec"),
  }[disposition] ?? (status === "ringing" ? t("Ringing", "Sonne") : t("On the line", "En ligne"));
}
