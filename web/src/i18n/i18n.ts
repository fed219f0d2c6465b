// Messages by key, in the person's language. English is complete by definition; the compiler holds the others to it.

import { createContext, useContext } from "react";
import { en } from "./en";

export type Key = keyof typeof en;
export type Catalogue = Record<Key, string>;
export type Translate = (key: Key, values?: Record<string, string | number>) => string;

export interface Language {
  code: string;
  t: Translate;
  rtl?: boolean;
}

/** `{name}` is replaced; a key with `.one` beside `.other` is chosen by `n` where the caller names the `.other` one. */
export function translator(catalogue: Catalogue, code: string): Translate {
  const plural = new Intl.PluralRules(code);
  return (key, values = {}) => {
    const wanted = key.endsWith(".other") && typeof values["n"] === "number" ? key.replace(/other$/u, plural.select(values["n"])) : key;
    const text = (catalogue as Record<string, string>)[wanted] ?? catalogue[key];
    return text.replace(/\{(\w+)\}/gu, (_, name: string) => String(values[name] ?? ""));
  };
}

export const english: Language = { code: "en", t: translator(en, "en") };

export async function loadLanguage(choice: string): Promise<Language> {
  const code = choice === "system" ? (navigator.language.split("-")[0] ?? "en") : choice;
  if (code === "de") {
    const { de } = await import("./de");
    return { code: "de", t: translator(de, "de") };
  }
  if (code === "ar-XB") {
    const { pseudo } = await import("./pseudo");
    return { code: "ar", t: translator(pseudo, "en"), rtl: true };
  }
  return { ...english, code: choice === "system" && navigator.language.startsWith("en") ? navigator.language : "en" };
}

export const LanguageContext = createContext<Language>(english);

export function useT(): Translate {
  return useContext(LanguageContext).t;
}

export function useLanguage(): string {
  return useContext(LanguageContext).code;
}
