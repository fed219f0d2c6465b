import { useEffect, useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";

/** A QR code, drawn here from the modules that the agent computed. */
export function Qr({ text, label }: { text: string; label?: string }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [rows, setRows] = useState<string[]>([]);
  useEffect(() => {
    let current = true;
    void roost.client.call("qr", { text }).then((code) => current && setRows(code.rows)).catch(() => undefined);
    return () => {
      current = false;
    };
  }, [roost, text]);
  if (rows.length === 0) return <div className="qr" />;
  const size = rows.length + 8;
  const path = rows.flatMap((row, y) => [...row].flatMap((cell, x) => (cell === "1" ? [`M${x + 4} ${y + 4}h1v1h-1z`] : []))).join("");
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label ?? t("invite.qr")} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
