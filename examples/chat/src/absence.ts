/** Whether somebody sits in front of the page: told to the others when it changes, and not for every glance away. */

const AWAY_MS = 60_000;

export function watchAbsence(tell: (away: boolean) => void): void {
  let timer: number | undefined;
  let isAway = false;
  document.addEventListener("visibilitychange", () => {
    window.clearTimeout(timer);
    if (document.hidden) {
      timer = window.setTimeout(() => tell((isAway = true)), AWAY_MS);
    } else if (isAway) {
      tell((isAway = false));
    }
  });
}
