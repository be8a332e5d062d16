// A table for people: columns as wide as they need to be, a heading, nothing to the right of the
// last.
#pragma once

#include <string>
#include <vector>

namespace fulmar::cli {

class table {
  public:
    /// A heading that begins with '>' makes its column flush right.
    explicit table(std::vector<std::string> headings);
    void add(std::vector<std::string> row);
    /// With one line per row, and `none` instead of an empty table.
    [[nodiscard]] std::string text(const std::string& none) const;

  private:
    std::vector<std::vector<std::string>> rows_;
    std::vector<bool> right_;
};

}  // namespace fulmar::cli
