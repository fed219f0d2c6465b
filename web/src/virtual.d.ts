// Made by vite.config.ts from emojibase-data: an emoji, its group, the words that find it.
declare module "virtual:emoji/*" {
  const rows: [emoji: string, group: number, words: string][];
  export default rows;
}
