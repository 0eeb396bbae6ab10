#include "converter/saved_model/parse.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <limits>

namespace fovea::converter {

namespace {

constexpr int kChunkBytes = 1 << 20;
constexpr int kMaxNesting = 100;

class Stream : public google::protobuf::io::CopyingInputStream {
 public:
  explicit Stream(ByteSource* source) : source_(source) {}

  int Read(void* buffer, int size) override {
    const auto n = static_cast<size_t>(std::min<uint64_t>(static_cast<uint64_t>(size), source_->size() - at_));
    status_ = source_->Read(at_, std::span(static_cast<std::byte*>(buffer), n));
    if (!status_.ok()) return -1;
    at_ += n;
    return static_cast<int>(n);
  }
  const Status& status() const { return status_; }

 private:
  ByteSource* source_;
  uint64_t at_ = 0;
  Status status_;
};

}  // namespace

Status ParseMessage(ByteSource* source, google::protobuf::MessageLite* message) {
  if (source->size() > static_cast<uint64_t>(std::numeric_limits<int>::max())) {
    return CorruptFile("more than 2 GiB, which the format can't hold");
  }
  Stream stream(source);
  google::protobuf::io::CopyingInputStreamAdaptor adaptor(&stream, kChunkBytes);
  google::protobuf::io::CodedInputStream coded(&adaptor);
  coded.SetTotalBytesLimit(std::numeric_limits<int>::max());
  coded.SetRecursionLimit(kMaxNesting);
  const bool parsed = message->ParseFromCodedStream(&coded) && coded.ConsumedEntireMessage();
  FOVEA_RETURN_IF_ERROR(stream.status());
  return parsed && source->size() > 0 ? OkStatus() : CorruptFile("not a TensorFlow file, or cut off");
}

}  // namespace fovea::converter
