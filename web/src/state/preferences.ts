// How the person likes the app, kept in the profile by the agent: the page's address changes at each start.

import type { Client } from "../api/client";
import { Store } from "./store";

export interface Choices {
  theme: "system" | "light" | "dark";
  language: "system" | "en" | "de" | "ar-XB";
  direction: "auto" | "rtl";
  notifications: "off" | "hidden" | "name" | "full";
  desktop: "off" | "hidden" | "name" | "full";
  enterSends: "yes" | "no";
  textSize: "small" | "normal" | "large";
  lockAfter: "never" | "5" | "15" | "60";
}

export const DEFAULTS: Choices = {
  theme: "system",
  language: "system",
  direction: "auto",
  notifications: "off",
  desktop: "hidden",
  enterSends: "yes",
  textSize: "normal",
  lockAfter: "never",
};

export class Preferences {
  readonly choices = new Store<Choices>(DEFAULTS);

  constructor(private readonly client: Client) {}

  async load(): Promise<void> {
    const { values } = await this.client.call("get-preferences", {});
    const known = Object.keys(DEFAULTS).flatMap((name) => (name in values ? [[name, values[name]]] : []));
    this.choices.set({ ...DEFAULTS, ...(Object.fromEntries(known) as Partial<Choices>) });
  }

  set<N extends keyof Choices>(name: N, value: Choices[N]): void {
    this.choices.update((choices) => ({ ...choices, [name]: value }));
    void this.client.call("set-preference", { name, value }).catch(() => undefined);
  }
}
