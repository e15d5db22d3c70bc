package installer

import "context"

// Ensure returns the image's reference, once the image is in the engine.
func (o OwnImage) Ensure(ctx context.Context, engine Engine) (string, error) {
	found, err := o.find(ctx, engine)
	if err != nil {
		return "", err
	}
	if found.ID == "" {
		if _, err := o.make(ctx, engine); err != nil {
			return "", err
		}
	}
	return o.Ref(), nil
}
