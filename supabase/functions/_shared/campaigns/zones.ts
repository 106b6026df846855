/**
 * Where a number is, as far as its digits say.
 *
 * A number can be moved, and a mobile travels: every zone in which its area code is used counts, and calls are made only when
 * all of them allow it.
 *
 * @module
 */

import { prefixesOf, PREMIUM_ABROAD } from "../destinations.ts";

/** A set of rules for calling hours: a country's, or the European Union's. */
export type RuleSet = "US" | "CA" | "UK" | "EU";

/** Where somebody may be. */
export interface Place {
  readonly rules: RuleSet;
  /** The US state or Canadian province of the area code, or the country's ISO 3166 code. */
  readonly region: string;
  /** IANA zones, sorted; one or more. */
  readonly zones: readonly string[];
}

const E = "America/New_York";
const C = "America/Chicago";
const M = "America/Denver";
const P = "America/Los_Angeles";

/**
 * The area codes of the United States and Canada in service, each with all zones of its area.
 * Source: https://www.nanpa.com/number-resource-info/area-codes (zones: 49 CFR part 71, and each province's law).
 */
const AREAS: readonly (readonly [region: string, zones: string, codes: string])[] = [
  ["AL", C, "205 251 256 659 938"],
  // 334 reaches Phenix City, which keeps Georgia's time.
  ["AL", `${C} ${E}`, "334"],
  ["AK", "America/Anchorage America/Adak", "907"],
  // The Navajo Nation keeps daylight saving time.
  ["AZ", `America/Phoenix ${M}`, "928"],
  ["AZ", "America/Phoenix", "480 520 602 623"],
  ["AR", C, "327 479 501 870"],
  [
    "CA",
    P,
    "209 213 279 310 323 341 350 357 369 408 415 424 442 510 530 559 562 619 626 628 650 657 661 669 707 714 738 747 760 805 818 820 831 837 840 858 909 916 925 949 951",
  ],
  ["CO", M, "303 719 720 748 970 983"],
  ["CT", E, "203 475 860 959"],
  ["DE", E, "302"],
  ["DC", E, "202 771"],
  ["FL", E, "239 305 321 324 352 386 407 561 645 656 689 727 728 754 772 786 813 863 904 941 954"],
  ["FL", `${C} ${E}`, "448 850"],
  ["GA", E, "229 404 470 478 678 706 762 770 912 943"],
  ["HI", "Pacific/Honolulu", "808"],
  ["ID", `America/Boise ${P}`, "208 986"],
  ["IL", C, "217 224 309 312 331 447 464 618 630 708 730 773 779 815 847 861 872"],
  ["IN", "America/Indiana/Indianapolis", "317 463 765"],
  ["IN", `America/Indiana/Indianapolis ${C}`, "219 260 574 812 930"],
  ["IA", C, "319 515 563 641 712"],
  ["KS", C, "316 913"],
  ["KS", `${C} ${M}`, "620 785"],
  ["KY", E, "502 859"],
  ["KY", `${C} ${E}`, "270 364 606"],
  ["LA", C, "225 318 337 457 504 985"],
  ["ME", E, "207"],
  ["MD", E, "227 240 301 410 443 667"],
  ["MA", E, "339 351 413 508 617 774 781 857 978"],
  ["MI", E, "231 248 269 313 517 586 616 679 734 810 947 989"],
  ["MI", `${C} ${E}`, "906"],
  ["MN", C, "218 320 507 612 651 763 924 952"],
  ["MS", C, "228 471 601 662 769"],
  ["MO", C, "235 314 417 557 573 636 660 816 975"],
  ["MT", M, "406"],
  ["NE", C, "402 531"],
  ["NE", `${C} ${M}`, "308"],
  ["NV", P, "702 725"],
  // West Wendover and Jackpot keep the time of Utah and Idaho.
  ["NV", `${P} ${M}`, "775"],
  ["NH", E, "603"],
  ["NJ", E, "201 551 609 640 732 848 856 862 908 973"],
  ["NM", M, "505 575"],
  [
    "NY",
    E,
    "212 315 329 332 347 363 465 516 518 585 607 624 631 646 680 716 718 838 845 914 917 929 934",
  ],
  ["NC", E, "252 336 472 704 743 828 910 919 980 984"],
  ["ND", `${C} ${M}`, "701"],
  ["OH", E, "216 220 234 283 326 330 380 419 436 440 513 567 614 740 937"],
  ["OK", C, "405 539 572 918"],
  ["OK", `${C} ${M}`, "580"],
  ["OR", P, "503 971"],
  ["OR", `America/Boise ${P}`, "458 541"],
  ["PA", E, "215 223 267 272 412 445 484 570 582 610 717 724 814 835 878"],
  ["RI", E, "401"],
  ["SC", E, "803 821 839 843 854 864"],
  ["SD", `${C} ${M}`, "605"],
  ["TN", C, "615 629 731 901"],
  ["TN", E, "865"],
  ["TN", `${C} ${E}`, "423 729 931"],
  [
    "TX",
    C,
    "210 214 254 281 325 346 361 409 430 469 512 621 682 713 726 737 806 817 830 832 903 936 940 945 956 972 979",
  ],
  // El Paso and Hudspeth counties keep mountain time.
  ["TX", `${C} ${M}`, "432 915"],
  ["UT", M, "385 435 801"],
  ["VT", E, "802"],
  ["VA", E, "276 434 540 571 686 703 757 804 826 948"],
  ["WA", P, "206 253 360 425 509 564"],
  ["WV", E, "304 681"],
  ["WI", C, "262 274 353 414 534 608 715 920"],
  ["WY", M, "307"],
  ["AB", "America/Edmonton", "368 403 587 780 825"],
  // Creston keeps standard time all year, the Peace River country too; the east keeps Alberta's time.
  [
    "BC",
    "America/Creston America/Dawson_Creek America/Edmonton America/Vancouver",
    "236 250 257 672 778",
  ],
  ["BC", "America/Vancouver", "604"],
  ["MB", "America/Winnipeg", "204 431 584"],
  ["NB", "America/Moncton", "428 506"],
  ["NL", "America/Blanc-Sablon America/Goose_Bay America/St_Johns", "709 879"],
  ["NS", "America/Halifax", "782 902"],
  [
    "ON",
    "America/Toronto",
    "226 249 289 343 365 382 416 437 519 548 613 647 683 705 742 753 905 942",
  ],
  ["ON", "America/Atikokan America/Toronto America/Winnipeg", "807"],
  ["QC", "America/Toronto", "263 354 367 438 450 468 514 579 581 873"],
  // The Lower North Shore keeps Atlantic standard time, and the Magdalen Islands Atlantic time.
  ["QC", "America/Blanc-Sablon America/Halifax America/Toronto", "418"],
  ["QC", "America/Toronto", "819"],
  ["SK", "America/Edmonton America/Regina", "306 474 639"],
  [
    "NT",
    "America/Dawson America/Edmonton America/Iqaluit America/Rankin_Inlet America/Resolute",
    "867",
  ],
];

const PROVINCES = new Set(["AB", "BC", "MB", "NB", "NL", "NS", "ON", "QC", "SK", "NT"]);

/** Calling codes with a set of rules. Source: ITU-T E.164, list of country codes. */
const COUNTRIES: readonly (readonly [code: string, iso: string, zones: string])[] = [
  ["43", "AT", "Europe/Vienna"],
  ["32", "BE", "Europe/Brussels"],
  ["359", "BG", "Europe/Sofia"],
  ["385", "HR", "Europe/Zagreb"],
  ["357", "CY", "Asia/Nicosia"],
  ["420", "CZ", "Europe/Prague"],
  ["45", "DK", "Europe/Copenhagen"],
  ["372", "EE", "Europe/Tallinn"],
  ["358", "FI", "Europe/Helsinki"],
  ["33", "FR", "Europe/Paris"],
  ["49", "DE", "Europe/Berlin"],
  ["30", "GR", "Europe/Athens"],
  ["36", "HU", "Europe/Budapest"],
  ["353", "IE", "Europe/Dublin"],
  ["39", "IT", "Europe/Rome"],
  ["371", "LV", "Europe/Riga"],
  ["370", "LT", "Europe/Vilnius"],
  ["352", "LU", "Europe/Luxembourg"],
  ["356", "MT", "Europe/Malta"],
  ["31", "NL", "Europe/Amsterdam"],
  ["48", "PL", "Europe/Warsaw"],
  ["351", "PT", "Atlantic/Azores Europe/Lisbon"],
  ["40", "RO", "Europe/Bucharest"],
  ["421", "SK", "Europe/Bratislava"],
  ["386", "SI", "Europe/Ljubljana"],
  ["34", "ES", "Atlantic/Canary Europe/Madrid"],
  ["46", "SE", "Europe/Stockholm"],
  ["44", "GB", "Europe/London"],
];

/**
 * Further numbers abroad that are neither geographic nor mobile: freephone, of companies, pagers. They say no
 * place. Source: as PREMIUM_ABROAD.
 */
const NO_PLACE = [
  ...[
    "+30 500 800",
    "+31 14 66 67 8 91",
    "+32 78 800",
    "+33 8 9",
    "+34 51 800 900",
    "+351 30 80 88",
  ],
  ...["+352 800", "+353 1800 76 818", "+356 3550 7117 800", "+357 50 77 80", "+359 800"],
  ...["+358 10 20 29 30 39 71 73 75 800", "+36 21 38 40 80", "+370 80", "+371 80", "+372 800"],
  ...["+385 62 72 80", "+386 59 8", "+39 1 5 7 8 9", "+40 37 80", "+420 8 9", "+421 6 800 96"],
  ...[
    "+43 50 517 57 59 720 730 740 780 8",
    "+44 3 55 56 8",
    "+45 80",
    "+46 10 20 74",
    "+48 39 64 80",
  ],
  // Not +44 7624, which are mobiles of the Isle of Man.
  "+44 760 761 763 764 765 766 767 768 769",
  "+49 10 11 12 13 14 164 168 169 18 19 32 800",
];

/** `undefined`: none, within a country that has one. */
const places = new Map<string, Place | undefined>();
for (const [region, zones, codes] of AREAS) {
  const rules = PROVINCES.has(region) ? "CA" : "US";
  const place: Place = { rules, region, zones: zones.split(" ").toSorted() };
  for (const code of codes.split(" ")) places.set(`+1${code}`, place);
}
for (const [code, iso, zones] of COUNTRIES) {
  places.set(`+${code}`, {
    rules: iso === "GB" ? "UK" : "EU",
    region: iso,
    zones: zones.split(" "),
  });
}
for (const prefix of [...PREMIUM_ABROAD, ...NO_PLACE.flatMap(prefixesOf)]) {
  places.set(prefix, undefined);
}
const LONGEST = Math.max(...[...places.keys()].map(({ length }) => length));

/**
 * The place of a number. `undefined`: its digits say none for which there are rules, as of a toll-free or premium number, or of
 * a country without a set; such a number is not called.
 */
export function placeOf(number: string): Place | undefined {
  for (let length = LONGEST; length > 2; length--) {
    const prefix = number.slice(0, length);
    if (places.has(prefix)) return places.get(prefix);
  }
  return undefined;
}

/** The area codes and calling codes with a place, such as `+1212` and `+44`. */
export const PREFIXES: readonly string[] = [...places]
  .flatMap(([prefix, place]) => place === undefined ? [] : [prefix]);
