/** Small helpers around the DOM. Text only ever becomes text: nothing here takes HTML. */

/** The element of an id that the page has. */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element. `onclick` and the like become listeners, `true` an empty attribute; `false`,
 * `null` and `undefined` are left out, of attributes as of children.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...unknown} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== false && child !== null && child !== undefined) element.append(child);
  }
  return element;
}

/** `1:05` of 65 seconds. */
export function minutes(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A number as people read it: `+1 403 555 0123`. Others as they are. */
export function phoneNumber(e164) {
  if (e164 === null || e164 === undefined) return "Withheld";
  return e164.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
}
