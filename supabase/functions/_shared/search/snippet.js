// JavaScript, because the console's page, which has no build, takes this file as it is.

/** @type {Readonly<Record<string, string>>} */
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };

/**
 * The parts of a snippet that were not found, and those that were, in turn, with their characters as they were before they
 * were escaped for HTML.
 *
 * @param {string} snippet
 * @returns {string[]} every second one, from the second on, was found
 */
export function snippetParts(snippet) {
  return snippet.split(/<mark>(.*?)<\/mark>/s)
    .map((part) => part.replaceAll(/&(?:lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity]));
}
