import { useRef } from "react";

/** How often the component that asks has been rendered. With `?renders` in the address, each part shows it. */
export function useRenders(): { "data-renders": number } {
  const count = useRef(0);
  count.current += 1;
  return { "data-renders": count.current };
}
