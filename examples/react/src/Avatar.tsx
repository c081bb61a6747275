/** A colour that stays with a name. */
function hueOf(name: string): number {
  return [...name].reduce((hue, letter) => (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);
}

export function Avatar({ user }: { user: string }) {
  const letters = user.replace(/[^\p{L}\p{N}]/gu, "").slice(0, 2) || "?";
  return (
    <span className="avatar" style={{ "--hue": hueOf(user) } as React.CSSProperties} title={user} aria-hidden="true">
      {letters}
    </span>
  );
}
