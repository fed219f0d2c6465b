import { useEffect, useState } from "react";

export type HostKind = "relay" | "home" | "network" | "other";

const MAYBE = 40; // characters: anything shorter is no link yet
const CHECKSUM = 4;

/** What a link of a host leads to, by its beginning. */
export function kindOf(link: string): HostKind {
  const text = link.trim();
  if (/^roost-network:/iu.test(text)) return "network";
  if (/^roost-relay:\/\//iu.test(text)) return "relay";
  return /^roost-relay:/iu.test(text) ? "home" : "other"; // a relay at home has no address: it is met
}

/** Whether an onion network's link is whole: its payload ends with the beginning of its SHA-256. The agent looks at the rest. */
export async function isWhole(link: string): Promise<boolean> {
  const payload = bytesOf(link.trim().replace(/^roost-network:/iu, ""));
  if (payload === null || payload.length <= CHECKSUM) return false;
  const end = payload.length - CHECKSUM;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", payload.slice(0, end)));
  return payload.slice(end).every((byte, index) => byte === hash[index]);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[\w-]+$/u.test(text) || text.length % 4 === 1) return null;
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

/** What is wrong with the link of a host that stands in a field; empty while nothing is. */
export function useLinkProblem(link: string): "" | "link.damaged" | "link.notRelay" {
  const [problem, setProblem] = useState<"" | "link.damaged" | "link.notRelay">("");
  useEffect(() => {
    let current = true;
    const kind = kindOf(link);
    setProblem(kind === "other" && link.trim().length >= MAYBE ? "link.notRelay" : "");
    if (kind === "network" && link.trim().length >= MAYBE) void isWhole(link).then((whole) => current && !whole && setProblem("link.damaged"));
    return () => {
      current = false;
    };
  }, [link]);
  return problem;
}
