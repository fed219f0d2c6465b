import { Store } from "./store";

export interface Toast {
  id: number;
  text: string;
  kind: "info" | "error";
}

let counter = 0;

/** Short notices at the edge of the window, gone by themselves. */
export const toasts = new Store<Toast[]>([]);

export function notify(text: string, kind: Toast["kind"] = "info"): void {
  const id = ++counter;
  toasts.update((shown) => [...shown.slice(-3), { id, text, kind }]);
  window.setTimeout(() => toasts.update((shown) => shown.filter((toast) => toast.id !== id)), kind === "error" ? 8000 : 4000);
}
