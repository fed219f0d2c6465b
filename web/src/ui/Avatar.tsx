import { useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { cleanName } from "./text";

const HUES = [158, 24, 210, 280, 340, 48, 190, 110];

/** Somebody's colour, the same everywhere. */
export function hue(id: string): number {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return sum % HUES.length;
}

interface Props {
  id: string;
  name: string;
  picture?: string;
  client?: Client;
  size?: "small" | "normal" | "large";
}

export function Avatar({ id, name, picture = "", client, size = "normal" }: Props): ReactNode {
  const [broken, setBroken] = useState("");
  const letters = [...cleanName(name)].find((letter) => /[\p{L}\p{N}]/u.test(letter)) ?? "·";
  const shown = picture !== "" && client !== undefined && broken !== picture;
  return (
    <span className={`avatar ${size} hue${hue(id)}`} aria-hidden="true">
      {shown ? (
        <img src={client.pictureUrl(id, picture)} alt="" onError={() => setBroken(picture)} />
      ) : (
        letters.toLocaleUpperCase()
      )}
    </span>
  );
}
