// Times as people say them, in the person's language.

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one takes longer than everything else that a message on the screen needs, so each is made once. */
function format(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language + JSON.stringify(options);
  let made = formats.get(key);
  if (made === undefined) formats.set(key, (made = new Intl.DateTimeFormat(language, options)));
  return made;
}

export function clock(iso: string, language: string): string {
  return format(language, { hour: "numeric", minute: "2-digit" }).format(new Date(iso));
}

export function dayOf(iso: string): string {
  const date = new Date(iso);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

function daysAgo(date: Date): number {
  const midnight = (value: Date): number => new Date(value.getFullYear(), value.getMonth(), value.getDate()).getTime();
  return Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
}

export function dayName(iso: string, language: string): string {
  const date = new Date(iso);
  const ago = daysAgo(date);
  if (ago === 0 || ago === 1) {
    const text = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-ago, "day");
    return text.charAt(0).toLocaleUpperCase(language) + text.slice(1);
  }
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return format(language, { weekday: "long", day: "numeric", month: "long", year }).format(date);
}

/** For the list: the time today, the weekday this week, else the date. */
export function brief(iso: string, language: string): string {
  const date = new Date(iso);
  const ago = daysAgo(date);
  if (ago === 0) return clock(iso, language);
  if (ago < 7) return format(language, { weekday: "short" }).format(date);
  return format(language, { day: "numeric", month: "numeric", year: "2-digit" }).format(date);
}

export function full(iso: string, language: string): string {
  return format(language, { dateStyle: "full", timeStyle: "medium" }).format(new Date(iso));
}
