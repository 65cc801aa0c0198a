package main

import "slices"

// deployedSigns are variables that a platform sets in what it runs. CI is not
// among them: tests run there, of apps in development too.
var deployedSigns = []struct{ env, platform string }{
	{"KUBERNETES_SERVICE_HOST", "Kubernetes"},
	{"DYNO", "Heroku"},
	{"FLY_APP_NAME", "Fly.io"},
	{"AWS_LAMBDA_FUNCTION_NAME", "AWS Lambda"},
	{"K_SERVICE", "Cloud Run or Knative"},
	{"GAE_ENV", "App Engine"},
	{"RENDER", "Render"},
	{"RAILWAY_ENVIRONMENT", "Railway"},
	{"VERCEL", "Vercel"},
}

// looksDeployed returns an error if the real environment says that the process
// runs on a platform: in development the app's pages show its source.
func looksDeployed(e *Env) error {
	i := slices.IndexFunc(deployedSigns, func(s struct{ env, platform string }) bool { return e.real[fold(s.env)] != "" })
	if i < 0 {
		return nil
	}
	sign := deployedSigns[i]
	return usagef("APP_ENV=production runs the app for its users; use --force if this is a developer's machine after all",
		"development is refused: %s is set, so this looks deployed on %s", sign.env, sign.platform)
}
