// A value that components watch. Each part of the app has its own; there is no store of everything.

import { useSyncExternalStore } from "react";

export class Store<T> {
  private readonly watchers = new Set<() => void>();

  constructor(private value: T) {}

  readonly get = (): T => this.value;

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const watcher of [...this.watchers]) watcher();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.value));
  }

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };
}

/** Answers in the order of their questions: one that was overtaken by the answer to a later question is let go. */
export class Latest {
  private readonly asked = new Map<string, number>();
  private readonly taken = new Map<string, number>();

  async ask<T>(what: string, question: () => Promise<T>, take: (answer: T) => void): Promise<void> {
    const turn = (this.asked.get(what) ?? 0) + 1;
    this.asked.set(what, turn);
    const answer = await question();
    if (turn < (this.taken.get(what) ?? 0)) return;
    this.taken.set(what, turn);
    take(answer);
  }
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
