// Package codec has codecs that wrap other codecs. [Gzip] compresses, and [ByContentType] decodes
// several kinds of bodies.
//
//	var Orders = codec.Gzip(codec.ByContentType(publisher.JSON, Protobuf{}), codec.Limits{})
//
//	publisher.Config{Codec: Orders}
//	consumer.Spec{Queue: "orders", Handler: consumer.Decode(Orders, Handle)}
//
// Each may wrap the other. All are safe for concurrent use if the codecs that they wrap are.
//
// The functions of this package return no error, so that their result can stand in a variable. A
// wrong argument panics: a codec that is nil, a limit below 0, two codecs for one content type. So
// call them where a panic ends the start of the program, in a variable or in the constructor of a
// Spec, and not in a handler.
package codec
