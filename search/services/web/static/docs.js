// The pages of the API: Swagger UI on our own document. It asks no validator of another site.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
});
