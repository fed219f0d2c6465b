import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

interface Emoji {
  unicode: string;
  label: string;
  tags?: string[];
  group?: number;
  order?: number;
}

const COMPONENTS = 2; // skin tones and hair alone

/** `virtual:emoji/LANGUAGE`: a list of [emoji, group, words to find it by], a tenth of what the package has. */
function emoji(): Plugin {
  return {
    name: "roost-emoji",
    resolveId: (id) => (id.startsWith("virtual:emoji/") ? `\0${id}` : null),
    load(id) {
      const language = /^\0virtual:emoji\/(\w+)$/u.exec(id)?.[1];
      if (language === undefined) return null;
      const all = JSON.parse(readFileSync(new URL(`node_modules/emojibase-data/${language}/compact.json`, import.meta.url), "utf8")) as Emoji[];
      const rows = all
        .filter((row) => row.group !== undefined && row.group !== COMPONENTS)
        .sort((one, other) => (one.order ?? 0) - (other.order ?? 0))
        .map((row) => [row.unicode, row.group, [row.label, ...(row.tags ?? [])].join(" ")]);
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(rows))});`;
    },
  };
}

// The page is served by the agent itself (src/roost/apps/web/site.py) and may load nothing from anywhere else.
export default defineConfig({
  plugins: [react(), emoji()],
  build: {
    outDir: "../src/roost/apps/web/static",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    target: "es2023",
  },
});
