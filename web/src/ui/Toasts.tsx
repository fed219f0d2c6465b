import type { ReactNode } from "react";
import { useStore } from "../state/store";
import { toasts } from "../state/toasts";

export function Toasts(): ReactNode {
  const shown = useStore(toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((toast) => (
        <div key={toast.id} className={`toast ${toast.kind}`} dir="auto">{toast.text}</div>
      ))}
    </div>
  );
}
