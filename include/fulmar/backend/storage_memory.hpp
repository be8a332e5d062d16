// What is remembered of a device's storage over restarts, so that another disk in its place is
// noticed. Nothing of it is written into the storage itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace fulmar::backend {

/// What the operating system tells of a file or disk, by name: "fs_uuid", "inode", "wwid", … What
/// cannot be read is not in it.
using storage_facts = std::map<std::string, std::string>;

struct storage_record {
    std::string path{};  ///< of another path nothing is known
    std::uint64_t size_bytes = 0;
    storage_facts facts{};
    friend bool operator==(const storage_record&, const storage_record&) = default;
};

/// Called on: control reactor.
class storage_memory {
  public:
    [[nodiscard]] virtual std::optional<storage_record> recall(const std::string& device,
                                                               const std::string& path) const = 0;
    /// Returns at once; it is durable some time later.
    virtual void remember(const std::string& device, const storage_record& what) = 0;

  protected:
    ~storage_memory() = default;
};

}  // namespace fulmar::backend
