#pragma once
namespace jsp {

// Prints one line to stderr and aborts. Never reachable from network bytes.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace jsp

// Our own mistakes only. JSP_CHECK guards memory safety in all builds; JSP_DCHECK is compiled out with NDEBUG.
#define JSP_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::jsp::CheckFailed(__FILE__, __LINE__, #condition))
#ifdef NDEBUG
#define JSP_DCHECK(condition) (false ? void(condition) : void(0))
#else
#define JSP_DCHECK(condition) JSP_CHECK(condition)
#endif
