// The scripts of the page, which are compressed; the policy knows what they must be.
(async () => {
  const bytes = Uint8Array.from(atob("{{packed}}"), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = document.createElement("script");
  script.textContent = await new Response(plain).text();
  document.body.append(script);
})();
