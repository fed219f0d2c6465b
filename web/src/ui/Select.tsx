import { useId, type ReactNode } from "react";

interface Props<V extends string> {
  label: string;
  value: V;
  options: readonly { value: V; label: string }[];
  onChange: (value: V) => void;
  hint?: string;
  disabled?: boolean;
}

/** One of a few, in a line of its own; the browser's own list, which every keyboard and screen reader knows. */
export function Select<V extends string>({ label, value, options, onChange, hint, disabled = false }: Props<V>): ReactNode {
  const id = useId();
  return (
    <div className="select">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} disabled={disabled} onChange={(event) => onChange(event.target.value as V)} aria-describedby={hint ? `${id}-hint` : undefined}>
        {options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
      </select>
      {hint && <span className="hint" id={`${id}-hint`}>{hint}</span>}
    </div>
  );
}
