// Flags of the countries where people play, drawn small: stripes, crosses, discs and stars. They are signs beside a name, not
// heraldry: crests and fine lines are left out. A country without one here is its two letters.

const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [30, 20];

type Shape = readonly [tag: "rect" | "circle" | "path", attributes: Readonly<Record<string, string | number>>];

const rect = (x: number, y: number, width: number, height: number, fill: string): Shape => ["rect", { x, y, width, height, fill }];
const disc = (cx: number, cy: number, r: number, fill: string): Shape => ["circle", { cx, cy, r, fill }];
const path = (d: string, fill: string): Shape => ["path", { d, fill }];

/** Stripes of these colours, `#` left out; `2*` before one makes it twice as wide. */
function stripes(upright: boolean, colours: string): Shape[] {
  const parts = colours.split(" ").map((part) => (part.includes("*") ? part.split("*") : ["1", part]));
  const whole = parts.reduce((sum, [weight]) => sum + Number(weight), 0);
  let at = 0;
  return parts.map(([weight, colour]) => {
    const [from, size] = [at / whole, Number(weight) / whole];
    at += Number(weight);
    return upright ? rect(from * WIDTH, 0, size * WIDTH, HEIGHT, `#${colour}`) : rect(0, from * HEIGHT, WIDTH, size * HEIGHT, `#${colour}`);
  });
}
const lying = (colours: string): Shape[] => stripes(false, colours);
const standing = (colours: string): Shape[] => stripes(true, colours);

/** A cross that leans to the hoist, with a finer one on it. */
const nordic = (ground: string, cross: string, fine?: string): Shape[] => [
  rect(0, 0, WIDTH, HEIGHT, ground),
  rect(8, 0, 5, HEIGHT, cross),
  rect(0, 7.5, WIDTH, 5, cross),
  ...(fine === undefined ? [] : [rect(9.4, 0, 2.2, HEIGHT, fine), rect(0, 8.9, WIDTH, 2.2, fine)]),
];

/** A star of five points. */
function star(cx: number, cy: number, r: number, fill: string): Shape {
  const points = Array.from({ length: 10 }, (_, n) => {
    const [angle, length] = [(Math.PI * n) / 5 - Math.PI / 2, n % 2 === 0 ? r : r * 0.382];
    return `${(cx + length * Math.cos(angle)).toFixed(2)} ${(cy + length * Math.sin(angle)).toFixed(2)}`;
  });
  return path(`M${points.join("L")}Z`, fill);
}
const hoist = (fill: string): Shape => path("M0 0L13 10L0 20Z", fill);
const plain = (fill: string): Shape[] => [rect(0, 0, WIDTH, HEIGHT, fill)];

const FLAGS: Readonly<Record<string, readonly Shape[]>> = {
  AE: [...lying("00732f fff 000"), rect(0, 0, 8, HEIGHT, "#f00")],
  AR: [...lying("74acdf fff 74acdf"), disc(15, 10, 2, "#f6b40e")],
  AT: lying("ed2939 fff ed2939"),
  BE: standing("000 fae042 ed2939"),
  BG: lying("fff 00966e d62612"),
  BO: lying("d52b1e f9e300 007934"),
  BR: [...plain("#009b3a"), path("M15 2L27 10L15 18L3 10Z", "#fedf00"), disc(15, 10, 4, "#002776")],
  CA: [...standing("f00 2*fff f00"), path("M15 4l1.6 3.4 3-1-.8 4 2.2 1.4-4.4 1.6V17h-1.2v-3.6L9 11.8l2.2-1.4-.8-4 3 1z", "#f00")],
  CH: [...plain("#d52b1e"), rect(13, 4, 4, 12, "#fff"), rect(9, 8, 12, 4, "#fff")],
  CL: [...lying("fff d52b1e"), rect(0, 0, 10, 10, "#0039a6"), star(5, 5, 3.2, "#fff")],
  CN: [...plain("#de2910"), star(6, 6, 4, "#ffde00"), star(12, 3, 1.3, "#ffde00"), star(13.5, 6, 1.3, "#ffde00"), star(12, 9, 1.3, "#ffde00")],
  CO: lying("2*fcd116 003893 ce1126"),
  CZ: [...lying("fff d7141a"), path("M0 0L15 10L0 20Z", "#11457e")],
  DE: lying("000 d00 ffce00"),
  DK: nordic("#c60c30", "#fff"),
  EC: lying("2*fd0 034ea2 ed1c24"),
  EE: lying("0072ce 000 fff"),
  EG: [...lying("ce1126 fff 000"), disc(15, 10, 1.8, "#c09300")],
  ES: lying("aa151b 2*f1bf00 aa151b"),
  FI: nordic("#fff", "#003580"),
  FR: standing("0055a4 fff ef4135"),
  GB: [
    ...plain("#012169"),
    path("M0 0h3l27 18v2h-3L0 2zM30 0v2L3 20H0v-2L27 0z", "#fff"),
    rect(12, 0, 6, HEIGHT, "#fff"),
    rect(0, 7, WIDTH, 6, "#fff"),
    rect(13.2, 0, 3.6, HEIGHT, "#c8102e"),
    rect(0, 8.2, WIDTH, 3.6, "#c8102e"),
  ],
  GR: [...lying("0d5eaf fff 0d5eaf fff 0d5eaf fff 0d5eaf fff 0d5eaf"), rect(0, 0, 11, 11, "#0d5eaf"), rect(4.4, 0, 2.2, 11, "#fff"), rect(0, 4.4, 11, 2.2, "#fff")],
  HK: [...plain("#de2910"), star(15, 10, 5, "#fff")],
  HR: lying("f00 fff 171796"),
  HU: lying("cd2a3e fff 436f4d"),
  ID: lying("f00 fff"),
  IE: standing("169b62 fff ff883e"),
  IN: [...lying("f93 fff 138808"), disc(15, 10, 2.4, "#000080")],
  IR: lying("239f40 fff da0000"),
  IT: standing("009246 fff ce2b37"),
  JO: [...lying("000 fff 007a3d"), hoist("#ce1126")],
  JP: [...plain("#fff"), disc(15, 10, 6, "#bc002d")],
  KR: [...plain("#fff"), disc(15, 10, 5, "#0047a0"), path("M10 10a5 5 0 0 1 10 0a2.5 2.5 0 0 1-5 0a2.5 2.5 0 0 0-5 0z", "#cd2e3a")],
  LB: [...lying("ed1c24 2*fff ed1c24"), path("M15 5.5l4 8.5h-3v1h-2v-1h-3z", "#00a651")],
  LU: lying("ed2939 fff 00a1de"),
  MA: [...plain("#c1272d"), star(15, 10, 4.5, "#006233")],
  MX: [...standing("006847 fff ce1126"), disc(15, 10, 2, "#8c6239")],
  NL: lying("ae1c28 fff 21468b"),
  NO: nordic("#ba0c2f", "#fff", "#00205b"),
  PE: standing("d91023 fff d91023"),
  PH: [...lying("0038a8 ce1126"), hoist("#fff"), disc(4.5, 10, 2, "#fcd116")],
  PL: lying("fff dc143c"),
  PT: [...standing("2*060 3*f00"), disc(12, 10, 3.2, "#ff0")],
  QA: [rect(0, 0, WIDTH, HEIGHT, "#8d1b3d"), path("M0 0h9l3 2-3 2 3 2-3 2 3 2-3 2 3 2-3 2 3 2-3 2H0z", "#fff")],
  RO: standing("002b7f fcd116 ce1126"),
  RS: lying("c6363c 0c4076 fff"),
  RU: lying("fff 0039a6 d52b1e"),
  SE: nordic("#006aa7", "#fecc00"),
  SG: lying("ed2939 fff"),
  SK: lying("fff 0b4ea2 ee1c25"),
  TH: lying("a51931 f4f5f8 2*2d2a4a f4f5f8 a51931"),
  TR: [...plain("#e30a17"), disc(11, 10, 5, "#fff"), disc(12.3, 10, 4, "#e30a17"), star(17.5, 10, 2.5, "#fff")],
  TW: [...plain("#fe0000"), rect(0, 0, 15, 10, "#000095"), disc(7.5, 5, 2.6, "#fff")],
  UA: lying("0057b7 fd0"),
  US: [...lying("b22234 fff b22234 fff b22234 fff b22234 fff b22234 fff b22234 fff b22234"), rect(0, 0, 13, 10.8, "#3c3b6e"), disc(4, 3.5, 1, "#fff"), disc(9, 3.5, 1, "#fff"), disc(6.5, 5.5, 1, "#fff"), disc(4, 7.5, 1, "#fff"), disc(9, 7.5, 1, "#fff")],
  UY: [...lying("fff 0038a8 fff 0038a8 fff 0038a8 fff 0038a8 fff"), rect(0, 0, 11, 11, "#fff"), disc(5.5, 5.5, 3, "#fcd116")],
  VE: lying("fc0 00247d cf142b"),
  VN: [...plain("#da251d"), star(15, 10, 6, "#ff0")],
  ZA: [...lying("de3831 fff 007a4d fff 002395"), rect(0, 8, WIDTH, 4, "#007a4d"), hoist("#007a4d"), path("M0 3.5L9 10L0 16.5Z", "#000")],
};

/** The countries that have a drawing. */
export const DRAWN: readonly string[] = Object.keys(FLAGS);

/** A country's name in a language; its code where nobody knows it. */
export function countryName(code: string, language: string): string {
  try {
    return new Intl.DisplayNames([language], { type: "region" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** A flag as a picture; `null` for a country that has none here. */
export function flag(code: string): SVGSVGElement | null {
  const shapes = Object.hasOwn(FLAGS, code) ? FLAGS[code] : undefined;
  if (shapes === undefined) return null;
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", "flag");
  svg.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS(SPACE, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, String(value));
    svg.append(shape);
  }
  return svg;
}
