// From device to device: carriers, people nearby, couriers (docs/api.md).

export type CarrierKind = "lan" | "bluetooth" | "internet" | "tor";
export const CARRIERS: readonly CarrierKind[] = ["lan", "bluetooth", "internet", "tor"];

/** `on`: the person wants it. `ready`: it works now, or `why` not and what to do (`hint`). */
export interface Carrier {
  carrier: CarrierKind;
  on: boolean;
  ready: boolean;
  why: string;
  hint: string;
  links: number;
}

export interface CarrierReach {
  bridges: string[];
}

export interface NearbyView {
  showing: boolean;
  name: string;
  people: { name: string; link: string }[];
}

export interface Courier {
  carries: boolean;
  uses: boolean;
  hops: number;
  days: number;
  size: number;
  share: number;
  rate: number;
  parcels: number;
  bytes: number;
  couriers: string[];
}

export interface CarryExported {
  path: string;
  parcels: number;
  mine: number;
  size: number;
}

export interface CarryImported {
  mine: number;
  kept: number;
  dropped: number;
  lost: number;
}

/** `compare`: they met where anybody can take any name. `accepted`: the other side had asked already. `waiting`: their
 * device is not in reach; it is asked when the two meet, and `contact` is empty until then. */
export interface AddedContact {
  contact: string;
  name: string;
  state: "requested" | "accepted" | "blocked";
  compare: boolean;
  waiting: boolean;
}

export type DirectEvent = { type: "near"; contact: string; carrier: CarrierKind | "" } | { type: "carriers" } | { type: "nearby" };

export interface DirectOperations {
  carriers: [Record<string, never>, Carrier[]];
  "carriers-turn": [{ carriers: CarrierKind[]; on: boolean; sure?: boolean }, Carrier[]];
  "carriers-set": [{ bridges?: string[] }, CarrierReach];
  nearby: [{ show?: boolean }, NearbyView];
  courier: [Record<string, never>, Courier];
  "courier-set": [Partial<Pick<Courier, "carries" | "uses" | "hops" | "days" | "size" | "share" | "rate">>, Courier];
  "carry-export": [{ to: string; files: boolean; replace?: boolean }, CarryExported];
  "carry-import": [{ path: string }, CarryImported];
}
