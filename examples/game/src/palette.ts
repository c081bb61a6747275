/** One colour a seat, the first ones as different as can be. */

const PAINTS = [
  "#ff4d5e", "#2b8bff", "#ffc02b", "#1fb36b", "#9a5cff", "#ff8420", "#11bfc4", "#ff6db3",
  "#98cf2c", "#4a50e6", "#b4743c", "#79c4ff", "#b3203c", "#1b4f9f", "#c78a00", "#0d7848",
  "#692ead", "#c2521a", "#09808a", "#c62f89", "#6a8c1a", "#b7a6ff", "#d9b489", "#6d7f94",
] as const;

export function colourOf(seat: number): string {
  return PAINTS[seat % PAINTS.length] ?? PAINTS[0];
}

/** Two colours, with so much of the second, as `#rrggbb`. */
export function mix(colour: string, other: string, part: number): string {
  const known = mixed.get(colour + other + part);
  if (known !== undefined) return known;
  const channel = (at: number): string => {
    const [from, to] = [colour, other].map((text) => Number.parseInt(text.slice(at, at + 2), 16));
    const value = Math.round((from ?? 0) * (1 - part) + (to ?? 0) * part);
    return value.toString(16).padStart(2, "0");
  };
  const made = `#${channel(1)}${channel(3)}${channel(5)}`;
  mixed.set(colour + other + part, made);
  return made;
}

/** As many as there are paints and uses of `mix`. */
const mixed = new Map<string, string>();
